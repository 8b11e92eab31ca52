-- Coded diagnoses of a stay. The source marks the principal one and gives no order among the others: they are counted
-- in the order of their rows. Codes come without a dot and without a label.
-- one row per listed diagnosis of a stay
with diagnoses as (
    select * from raw.clif__hospital_diagnosis
),

patients as (
    select
        hospitalization_id,
        max_by(patient_id, _row_id) as patient_id
    from raw.clif__hospitalization
    group by hospitalization_id
),

cleaned as (
    select
        _row_id,
        hospitalization_id,
        nullif(trim(diagnosis_code), '') as code_text,
        nullif(trim(diagnosis_code_format), '') as system_text,
        nullif(trim(diagnosis_primary), '') as primary_text,
        nullif(trim(poa_present), '') as present_text
    from diagnoses
),

typed as (
    select
        cleaned.*,
        coalesce(patients.patient_id, concat('unknown-', cleaned.hospitalization_id)) as patient_id,
        upper(cleaned.code_text) as code,
        case upper(cleaned.system_text)
            when 'ICD10CM' then 'ICD-10-CM'
            when 'ICD9CM' then 'ICD-9-CM'
        end as system_read,
        case cleaned.present_text when '1' then 'yes' when '0' then 'no' end as present_on_admission,
        coalesce(cleaned.primary_text = '1', false) as is_principal
    from cleaned
    left join patients on cleaned.hospitalization_id = patients.hospitalization_id
),

placed as (
    select
        *,
        row_number() over (
            partition by row_file(_row_id), hospitalization_id order by is_principal desc, _row_id asc
        ) as place,
        bool_or(is_principal) over (partition by row_file(_row_id), hospitalization_id) as has_principal
    from typed
)

select
    _row_id,
    patient_id,
    hospitalization_id as stay_id,
    if(has_principal, place, place + 1) as position,
    if(is_principal, 'principal', 'other') as role,
    code_text,
    code,
    cast(null as varchar) as code_second,
    coalesce(system_read, 'ICD-10-CM') as code_system,
    cast(null as varchar) as label,
    present_on_admission,
    nullif(
        concat_ws(
            ',',
            if(system_read is null, 'code_system', null),
            if(primary_text is not null and primary_text not in ('0', '1'), 'role', null),
            if(present_text is not null and present_on_admission is null, 'present_on_admission', null)
        ),
        ''
    ) as unparsed
from placed
