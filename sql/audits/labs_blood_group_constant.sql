-- Blood groups of a record number under which another blood group was found at least as often.
-- one row per such blood group result
with groups as (
    select
        labs._row_id,
        labs.patient_id,
        labs.value_text,
        count(*) over (partition by labs.patient_id, labs.value_text) as times,
        count(*) over (partition by labs.patient_id) as results
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte = 'abo' and labs.text_result = 'blood_group'
)

select
    _row_id,
    concat(value_text, ' in ', times, ' of ', results, ' results') as observed
from groups
where times <= results - times
