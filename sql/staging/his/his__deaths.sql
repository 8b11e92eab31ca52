-- Notices of death. A household register may be late: its day is only the last on which the death can have been, so
-- the first day and the precision stay open. A notice without record number is linked by the identity number.
-- A name with a character lost on its way is left out, so that nothing is linked by it.
-- A day before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per death notice
with notices as (
    select * from raw.his__death_notices
),

births as (
    select
        patient_id,
        least(
            min(birth_month), min(if(national_id_valid, national_id_birth_month, null))
        ) as born_from
    from staging.patients
    group by patient_id
),

batches as (
    select
        file_id,
        cast(try_strptime(left(batch, 8), ['%Y%m%d']) as date) as batch_on
    from quality.files
),

cleaned as (
    select
        _row_id,
        病案号 as patient_id,
        身份证号 as national_id,
        cast(身份证号__valid as boolean) as national_id_valid,
        if(coalesce(cast(姓名__damaged as boolean), false), null, 姓名) as name_id,
        if(cast(身份证号__valid as boolean), 身份证号__birth_month, null) as birth_text,
        if(trim(登记号, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(登记号, ' 　')) as notice_id,
        if(trim(死亡日期, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(死亡日期, ' 　')) as died_text,
        if(trim(死亡地点, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(死亡地点, ' 　')) as place_text,
        if(trim(根本死因编码, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, 根本死因编码) as cause_text,
        if(trim(死亡原因, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(死亡原因, ' 　')) as cause,
        if(trim(信息来源, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(信息来源, ' 　')) as source_text,
        if(trim(登记日期, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(登记日期, ' 　')) as registered_text
    from notices
),

typed as (
    select
        cleaned.*,
        cast(try_strptime(cleaned.died_text, ['%Y-%m-%d', '%Y%m%d']) as date) as died_read,
        cast(try_strptime(cleaned.registered_text, ['%Y-%m-%d']) as date) as registered_read,
        upper(translate(cleaned.cause_text, '．　 †', '.')) as cause_code,
        case cleaned.place_text when '院内' then 'in_hospital' when '院外' then 'outside' end as place,
        case cleaned.source_text
            when '院内死亡记录' then 'hospital_record'
            when '疾控死因监测' then 'disease_control'
            when '户籍注销' then 'household_register'
        end as source_read,
        greatest(
            births.born_from, cast(try_strptime(cleaned.birth_text, ['%Y-%m']) as date), date '1950-01-01'
        ) as earliest,
        coalesce(batches.batch_on, date '9999-12-31') as latest
    from cleaned
    left join births on cleaned.patient_id = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(died_read between earliest and latest, died_read, null) as died_on,
        if(registered_read between earliest and latest, registered_read, null) as registered_on,
        coalesce(died_read <> date '1900-01-01', died_text is not null) as has_died,
        coalesce(registered_read <> date '1900-01-01', registered_text is not null) as has_registered
    from typed
)

select
    _row_id,
    patient_id,
    national_id,
    national_id_valid,
    name_id,
    notice_id,
    if(source_read = 'household_register', null, died_on) as died_from,
    died_on as died_to,
    if(source_read = 'household_register' or died_on is null, null, 'day') as died_precision,
    place,
    cause_code,
    cause,
    coalesce(source_read, 'source_system') as information_source,
    registered_on,
    nullif(
        concat_ws(
            ',',
            if(has_died and died_on is null, 'died_to', null),
            if(place_text is not null and place is null, 'place', null),
            if(source_text is not null and source_read is null, 'information_source', null),
            if(has_registered and registered_on is null, 'registered_on', null)
        ),
        ''
    ) as unparsed
from dated
