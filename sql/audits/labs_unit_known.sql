-- Numbers of a known analyte in a unit it does not accept, or without one.
-- one row per violating result
with accepted as (
    select
        loincs.loinc,
        units.unit
    from rules.analyte_loinc as loincs
    inner join rules.analyte_units as units on loincs.analyte = units.analyte
),

analytes as (
    select
        loincs.loinc,
        analytes.analyte
    from rules.analyte_loinc as loincs
    inner join rules.analytes as analytes on loincs.analyte = analytes.analyte
)

select
    labs._row_id,
    concat(analytes.analyte, ' ', labs.value_text, ' with unit ', coalesce(labs.unit_text, 'none')) as observed
from staging.labs as labs
inner join analytes on labs.loinc = analytes.loinc
anti join accepted on labs.loinc = accepted.loinc and coalesce(labs.unit, '1') = accepted.unit
where labs.value is not null
