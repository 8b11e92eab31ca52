-- HBV-DNA under IU/mL that no kit prints so: a number below the lowest limit of quantification is a logarithm; while
-- the only kit reported copies, IU/mL is the wrong unit.
-- one row per violating result
with kits as (
    select
        max(value) filter (where item = 'iu_min') as iu_min,
        max(cast(text as date)) filter (where item = 'copies_only_until') as copies_only_until
    from rules.definitions
    where definition = 'hbv_dna_kits'
)

select
    labs._row_id,
    concat(labs.value_text, ' ', labs.unit_text, ' on ', labs.collected_at) as observed
from staging.labs as labs
inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
cross join kits
where
    loincs.analyte = 'hbv_dna'
    and labs.unit = '[IU]/mL'
    and (
        (labs.operator = '=' and labs.value < kits.iu_min)
        or (labs.value is not null and cast(labs.collected_at as date) <= kits.copies_only_until)
    )
