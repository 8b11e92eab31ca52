-- Numbers in blood whose unit their analyte does not accept. A result without a unit is read in unit 1, which INR, pH
-- and indices accept as it is; a fraction of a percentage must be known to be one. Text results have no number and are
-- not asked.
-- one row per violating result
with results as (
    select
        _row_id,
        loinc,
        value_text,
        unit_text,
        if(unit_text is null, coalesce(unit, '1'), unit) as unit,
        unit_text is null and unit is null as is_bare
    from staging.labs
    where value is not null and specimen not in ('urine', 'ascites')
),

seen as (
    select distinct
        loinc,
        unit,
        is_bare
    from results
),

unknown as (
    select
        seen.loinc,
        seen.unit,
        seen.is_bare
    from seen
    inner join rules.analyte_loinc as loincs on seen.loinc = loincs.loinc
    left join rules.analyte_units as units on loincs.analyte = units.analyte and seen.unit = units.unit
    where units.factor is null or (seen.is_bare and units.factor <> 1)
)

select
    results._row_id,
    concat(results.value_text, ' ', coalesce(results.unit_text, 'without a unit')) as observed
from results
inner join unknown
    on
        results.loinc = unknown.loinc
        and results.unit is not distinct from unknown.unit
        and results.is_bare = unknown.is_bare
