-- Direct bilirubin that repeats total bilirubin to the letter although the tube's indirect bilirubin is above zero.
-- one row per violating result
with bilirubins as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        labs.value_text,
        labs.value,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('bilirubin_total', 'bilirubin_direct', 'bilirubin_indirect') and labs.operator = '='
)

select
    direct._row_id,
    concat('direct and total both ', direct.value_text, ', indirect ', indirect.value_text) as observed
from bilirubins as direct
inner join bilirubins as total
    on
        direct.specimen_id = total.specimen_id
        and direct.patient_id = total.patient_id
        and direct.value_text = total.value_text
        and total.analyte = 'bilirubin_total'
inner join bilirubins as indirect
    on
        direct.specimen_id = indirect.specimen_id
        and direct.patient_id = indirect.patient_id
        and indirect.analyte = 'bilirubin_indirect'
where direct.analyte = 'bilirubin_direct' and indirect.value > 0
