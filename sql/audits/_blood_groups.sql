-- Blood groups, ABO and Rh D, of tubes and front pages, each with how many of the record number's statements agree.
-- one row per statement
with statements as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        loincs.analyte,
        labs.value_text,
        if(loincs.analyte = 'abo', rtrim(labs.value_text, '型'), labs.text_result) as blood_group
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('abo', 'rhd') and labs.text_result in ('blood_group', 'positive', 'negative')
    union all
    select
        null as _row_id,
        patient_id,
        null as specimen_id,
        'abo' as analyte,
        blood_group as value_text,
        blood_group
    from staging.stays
    where blood_group is not null
)

select
    *,
    count(*) over (partition by patient_id, analyte, blood_group) as times,
    count(*) over (partition by patient_id, analyte) as statements
from statements
