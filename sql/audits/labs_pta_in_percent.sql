-- Prothrombin activities printed as a fraction under percent, where the INR of the tube agrees with the fraction and
-- not with the percentage. The activity expected from an INR is a polynomial in its inverse.
-- one row per activity whose unit is put right
with relation as (
    select
        max(value) filter (where item = 'c3') as c3,
        max(value) filter (where item = 'c2') as c2,
        max(value) filter (where item = 'c1') as c1,
        max(value) filter (where item = 'c0') as c0,
        max(value) filter (where item = 'tolerance') as tolerance
    from rules.definitions
    where definition = 'pta_from_inr'
),

results as (
    select
        labs._row_id,
        labs.specimen_id,
        labs.value,
        labs.value_text,
        labs.unit,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('inr', 'pta') and labs.operator = '=' and labs.value > 0 and labs.specimen_id is not null
),

fractions as (
    select
        results._row_id,
        results.specimen_id,
        results.value_text,
        units.unit,
        results.value * units.factor as pta
    from results
    inner join rules.analyte_limits as limits on results.analyte = limits.analyte
    inner join rules.analytes as analytes on results.analyte = analytes.analyte and results.unit = analytes.unit
    inner join rules.analyte_units as units on results.analyte = units.analyte and units.unit = '1'
    where results.analyte = 'pta' and results.value < limits.low
),

inrs as (
    select
        results.specimen_id,
        max(results.value) as inr
    from results
    semi join fractions on results.specimen_id = fractions.specimen_id
    where results.analyte = 'inr'
    group by results.specimen_id
),

expected as (
    select
        fractions.*,
        inrs.inr,
        relation.tolerance,
        greatest(
            ((relation.c3 / inrs.inr + relation.c2) / inrs.inr + relation.c1) / inrs.inr + relation.c0, 1
        ) as pta_of_inr
    from fractions
    inner join inrs on fractions.specimen_id = inrs.specimen_id
    cross join relation
)

select
    _row_id,
    concat(value_text, ' printed in %') as observed,
    'unit' as column_name,
    unit as became,
    concat(
        'as a percentage it is out of limits; as a fraction it is ', round(pta, 1),
        ' %, and the INR of the tube, ', inr, ', goes with ', round(pta_of_inr, 1), ' %'
    ) as evidence,
    'strong' as confidence
from expected
where abs(pta - pta_of_inr) <= pta_of_inr * tolerance
