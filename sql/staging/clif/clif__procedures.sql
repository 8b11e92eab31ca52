-- Renal replacement and invasive ventilation as the devices record them, one row for each record, and billed
-- procedures. A record of a respiratory device counts as ventilation when it names invasive ventilation (IMV); a record
-- that names no device says nothing. A billed procedure is known by its day only: it lies somewhere between its start
-- and its end, which are the first and the last second of that day.
-- one row per procedure and place where it is recorded
with filters as (
    select
        _row_id,
        hospitalization_id,
        recorded_dttm as at_text,
        'renal_replacement' as category,
        nullif(trim(crrt_mode_category), '') as method_text,
        null as code,
        null as code_format,
        'device_record' as origin
    from raw.clif__crrt_therapy
),

ventilators as (
    select
        _row_id,
        hospitalization_id,
        recorded_dttm as at_text,
        'ventilation' as category,
        nullif(trim(device_name), '') as method_text,
        null as code,
        null as code_format,
        'device_record' as origin
    from raw.clif__respiratory_support
    where upper(trim(device_category)) = 'IMV'
),

billed as (
    select
        _row_id,
        hospitalization_id,
        procedure_billed_dttm as at_text,
        null as category,
        null as method_text,
        nullif(upper(trim(procedure_code)), '') as code,
        nullif(upper(trim(procedure_code_format)), '') as code_format,
        'front_page' as origin
    from raw.clif__patient_procedures
),

patients as (
    select
        hospitalization_id,
        max_by(patient_id, _row_id) as patient_id
    from raw.clif__hospitalization
    group by hospitalization_id
),

codes as (
    select
        code_system,
        prefix,
        category,
        label
    from mapping.procedure_codes
),

performed as (
    select * from filters
    union all
    select * from ventilators
    union all
    select * from billed
),

typed as (
    select
        performed._row_id,
        performed.hospitalization_id,
        coalesce(patients.patient_id, concat('unknown-', performed.hospitalization_id)) as patient_id,
        performed.category,
        performed.method_text,
        performed.code,
        performed.code_format,
        performed.origin,
        nullif(trim(performed.at_text), '') as started_text,
        try_cast(replace(performed.at_text, '+00:00', '') as timestamp) as started_at,
        case performed.code_format
            when 'ICD9' then 'ICD-9-CM-3'
            when 'ICD10PCS' then 'ICD-10-PCS'
            when 'CPT' then 'CPT'
            when 'HCPCS' then 'HCPCS'
        end as code_system
    from performed
    left join patients on performed.hospitalization_id = patients.hospitalization_id
)

select
    typed._row_id,
    typed.patient_id,
    typed.hospitalization_id as stay_id,
    cast(null as varchar) as procedure_id,
    coalesce(typed.category, codes.category, 'other') as category,
    coalesce(typed.method_text, codes.label, typed.code) as method_text,
    typed.code,
    typed.code_system,
    typed.started_at,
    if(typed.origin = 'front_page', typed.started_at + interval '1 day' - interval '1 second', null) as ended_at,
    cast(null as double) as plasma_ml,
    cast(null as boolean) as is_plasma_exchange,
    cast(null as varchar) as complication,
    cast(null as varchar) as note,
    typed.origin,
    nullif(
        concat_ws(
            ',',
            if(typed.started_text is not null and typed.started_at is null, 'started_at', null),
            if(typed.code_format is not null and typed.code_system is null, 'code_system', null)
        ),
        ''
    ) as unparsed
from typed
left join codes on typed.code_system = codes.code_system and starts_with(typed.code, codes.prefix)
