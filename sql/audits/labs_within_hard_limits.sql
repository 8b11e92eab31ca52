-- Numbers outside the limits of their analyte, compared in the analyte's own unit. A result at a limit of detection is
-- left alone: its number is a limit, not a measurement.
-- one row per violating result
with factors as (
    select
        loincs.loinc,
        units.unit,
        units.factor,
        limits.analyte,
        limits.low,
        limits.high
    from rules.analyte_loinc as loincs
    inner join rules.analyte_limits as limits on loincs.analyte = limits.analyte
    inner join rules.analyte_units as units on loincs.analyte = units.analyte
),

numbers as (
    select
        _row_id,
        loinc,
        value,
        coalesce(unit, '1') as unit
    from staging.labs
    where value is not null and operator = '=' and specimen not in ('urine', 'ascites')
)

select
    numbers._row_id,
    concat(factors.analyte, ' ', numbers.value, ' ', numbers.unit, ', limits ', factors.low, ' to ', factors.high)
        as observed
from numbers
inner join factors on numbers.loinc = factors.loinc and numbers.unit = factors.unit
where numbers.value * factors.factor not between factors.low and factors.high
