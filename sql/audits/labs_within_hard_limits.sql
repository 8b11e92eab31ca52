-- Numbers in blood outside the hard limits of their analyte, in the analyte's unit. The limit of a censored result is
-- no measurement and is not asked.
-- one row per violating result
with limits as (
    select
        loincs.loinc,
        units.unit,
        units.factor,
        limits.low,
        limits.high,
        analytes.unit as analyte_unit
    from rules.analyte_limits as limits
    inner join rules.analyte_loinc as loincs on limits.analyte = loincs.analyte
    inner join rules.analytes as analytes on limits.analyte = analytes.analyte
    inner join rules.analyte_units as units on limits.analyte = units.analyte
),

results as (
    select
        _row_id,
        loinc,
        value,
        unit_text,
        if(unit_text is null, coalesce(unit, '1'), unit) as unit,
        unit_text is null and unit is null as is_bare
    from staging.labs
    where value is not null and coalesce(operator, '=') = '=' and specimen not in ('urine', 'ascites')
)

select
    results._row_id,
    concat(
        concat_ws(' ', results.value, results.unit_text),
        concat(', limits ', limits.low, ' to ', limits.high, ' ', limits.analyte_unit)
    ) as observed
from results
inner join limits
    on results.loinc = limits.loinc and results.unit = limits.unit and (not results.is_bare or limits.factor = 1)
where results.value * limits.factor < limits.low or results.value * limits.factor > limits.high
