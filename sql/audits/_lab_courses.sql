-- Numbers in blood of the analytes whose course is watched, in the analyte's unit, each with the patient's results
-- before and after it.
-- one row per result
with watched as (
    select distinct item as analyte
    from rules.definitions
    where definition in ('decimal_point', 'delta_factor')
),

factors as (
    select
        loincs.loinc,
        loincs.analyte,
        units.unit,
        units.factor
    from watched
    inner join rules.analyte_loinc as loincs on watched.analyte = loincs.analyte
    inner join rules.analyte_units as units on watched.analyte = units.analyte
)

select
    labs._row_id,
    labs.patient_id,
    labs.specimen_id,
    factors.analyte,
    labs.collected_at,
    labs.value * factors.factor as value,
    lag(labs.value * factors.factor) over course as value_before,
    lag(labs.collected_at) over course as before_at,
    lag(labs.specimen_id) over course as specimen_before,
    lead(labs.value * factors.factor) over course as value_after,
    lead(labs.collected_at) over course as after_at,
    lead(labs.specimen_id) over course as specimen_after
from staging.labs as labs
inner join factors
    on
        labs.loinc = factors.loinc
        and coalesce(labs.unit, '1') = factors.unit
        and (labs.unit is not null or factors.factor = 1)
where
    labs.operator = '='
    and labs.value > 0
    and labs.collected_at is not null
    and labs.specimen not in ('urine', 'ascites')
window course as (partition by labs.patient_id, factors.analyte order by labs.collected_at, labs._row_id)
