-- Neutrophil or lymphocyte counts above the white cells of the same tube by more than rounding.
-- one row per violating result
with counts as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        labs.unit,
        labs.value,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('wbc', 'neutrophils', 'lymphocytes') and labs.operator = '='
),

ratio as (
    select value from rules.definitions
    where definition = 'lab_checks' and item = 'count_over_wbc_max'
)

select
    part._row_id,
    concat(part.analyte, ' ', part.value, ' of white cells ', whole.value) as observed
from counts as part
inner join counts as whole
    on
        part.specimen_id = whole.specimen_id
        and part.patient_id = whole.patient_id
        and part.unit = whole.unit
        and whole.analyte = 'wbc'
cross join ratio
where part.analyte <> 'wbc' and part.value > whole.value * ratio.value
