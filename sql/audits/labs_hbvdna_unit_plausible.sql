-- HBV-DNA under IU/mL that no kit prints so: a plain number as low as a logarithm, or any result from before the first
-- kit that reports IU/mL.
-- one row per violating result
with kits as (
    select
        max(value) filter (where item = 'log10_max') as log10_max,
        max(cast(text as date)) filter (where item = 'first_iu_on') as first_iu_on
    from rules.definitions
    where definition = 'hbv_dna'
)

select
    labs._row_id,
    concat(labs.value_text, ' ', labs.unit_text, ' on ', cast(labs.collected_at as date)) as observed
from staging.labs as labs
inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
cross join kits
where
    loincs.analyte = 'hbv_dna'
    and labs.unit = '[IU]/mL'
    and (
        (labs.operator = '=' and labs.value > 0 and labs.value <= kits.log10_max)
        or (labs.value is not null and labs.collected_at < kits.first_iu_on)
    )
