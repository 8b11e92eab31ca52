-- Orders of drugs, blood products, treatments and surgery. The drug is found by the beginning of the order's name in
-- the source's drug list, also when the name's encoding was mistaken and is still whole. Ordered is not executed.
-- A time before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per order
with orders as (
    select * from raw.his__orders
),

drugs as (
    select * from mapping.drugs
),

garbled as (
    select
        mojibake.garbled,
        drugs.drug,
        drugs.drug_class
    from mapping.mojibake
    inner join drugs on mojibake.term = drugs.prefix
    where mojibake.used_for = 'drug_prefix'
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
        if(trim(住院次数, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(住院次数, ' 　')) as stay_text,
        if(trim(医嘱号, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(医嘱号, ' 　')) as order_id,
        if(trim(医嘱类型, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(医嘱类型, ' 　')) as standing_text,
        if(trim(医嘱分类, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(医嘱分类, ' 　')) as class_text,
        if(trim(医嘱名称, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(医嘱名称, ' 　')) as drug_text,
        if(trim(单次剂量, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(单次剂量, ' 　')) as dose_text,
        if(trim(剂量单位, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(剂量单位, ' 　')) as dose_unit,
        if(trim(频次, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(频次, ' 　')) as frequency,
        if(trim(途径, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(途径, ' 　')) as route,
        if(trim(开立时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(开立时间, ' 　')) as ordered_text,
        if(trim(开始时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(开始时间, ' 　')) as started_text,
        if(trim(停止时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(停止时间, ' 　')) as stopped_text,
        if(trim(执行时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(执行时间, ' 　')) as executed_text,
        if(trim(状态, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(状态, ' 　')) as status_text,
        if(trim(备注, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(备注, ' 　')) as note
    from orders
),

names as (
    select
        drug_text,
        translate(
            drug_text, '０１２３４５６７８９．（）％－＋ＭＳＣ　', '0123456789.()%-+MSC '
        ) as plain,
        contains(drug_text, '?') or contains(drug_text, chr(65533)) as is_torn,
        regexp_matches(drug_text, '[¡-ÿ][¡-ÿ]') as is_latin
    from cleaned
    where drug_text is not null
    group by drug_text
),

named as (
    select
        names.drug_text,
        arg_max(drugs.drug, length(drugs.prefix)) as drug,
        arg_max(drugs.drug_class, length(drugs.prefix)) as drug_class
    from names
    inner join drugs on starts_with(names.plain, drugs.prefix)
    group by names.drug_text
),

mended as (
    select
        names.drug_text,
        arg_max(garbled.drug, length(garbled.garbled)) as drug,
        arg_max(garbled.drug_class, length(garbled.garbled)) as drug_class
    from names
    inner join garbled on starts_with(names.drug_text, garbled.garbled)
    where not names.is_torn
    group by names.drug_text
),

known as (
    select
        names.drug_text,
        coalesce(named.drug, mended.drug) as drug,
        coalesce(named.drug_class, mended.drug_class) as drug_class,
        coalesce(named.drug, mended.drug) is null and (names.is_torn or names.is_latin) as is_unreadable,
        named.drug is null and mended.drug is not null as is_mended
    from names
    left join named on names.drug_text = named.drug_text
    left join mended on names.drug_text = mended.drug_text
),

times as (
    select distinct unnest([ordered_text, started_text, stopped_text, executed_text]) as time_text
    from cleaned
),

read_times as (
    select
        time_text,
        coalesce(
            try_strptime(time_text, ['%Y-%m-%d %H:%M:%S']),
            try_strptime(
                replace(replace(replace(replace(time_text, '月 -', '-'), '月-', '-'), '上午', 'AM'), '下午', 'PM'),
                ['%d-%m-%y %I.%M.%S.%f %p']
            )
        ) as time_read
    from times
    where time_text is not null
),

typed as (
    select
        cleaned.*,
        known.drug,
        known.drug_class,
        coalesce(known.is_unreadable, false) as is_unreadable,
        coalesce(known.is_mended, false) as is_mended,
        try_cast(cleaned.stay_text as bigint) as stay_no,
        try_cast(translate(cleaned.dose_text, '０１２３４５６７８９．', '0123456789.') as double) as dose,
        case cleaned.standing_text when '长期' then true when '临时' then false end as is_standing,
        case cleaned.class_text
            when '药品' then 'drug'
            when '血制品' then 'blood_product'
            when '治疗' then 'treatment'
            when '手术' then 'surgery'
        end as class_read,
        case cleaned.status_text
            when '已执行' then 'executed'
            when '已停止' then 'stopped'
            when '新开' then 'new'
            when '作废' then 'cancelled'
        end as status_read,
        ordered.time_read as ordered_read,
        started.time_read as started_read,
        stopped.time_read as stopped_read,
        executed.time_read as executed_read,
        greatest(cast(births.born_from as timestamp), timestamp '1950-01-01') as earliest,
        coalesce(cast(batches.batch_on + 1 as timestamp), timestamp '9999-12-31') as latest
    from cleaned
    left join known on cleaned.drug_text = known.drug_text
    left join read_times as ordered on cleaned.ordered_text = ordered.time_text
    left join read_times as started on cleaned.started_text = started.time_text
    left join read_times as stopped on cleaned.stopped_text = stopped.time_text
    left join read_times as executed on cleaned.executed_text = executed.time_text
    left join births on cleaned.patient_id = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(ordered_read >= earliest and ordered_read < latest, ordered_read, null) as ordered_at,
        if(started_read >= earliest and started_read < latest, started_read, null) as started_at,
        if(stopped_read >= earliest and stopped_read < latest, stopped_read, null) as stopped_at,
        if(executed_read >= earliest and executed_read < latest, executed_read, null) as executed_at,
        coalesce(ordered_read <> timestamp '1900-01-01', ordered_text is not null) as has_ordered,
        coalesce(started_read <> timestamp '1900-01-01', started_text is not null) as has_started,
        coalesce(stopped_read <> timestamp '1900-01-01', stopped_text is not null) as has_stopped,
        coalesce(executed_read <> timestamp '1900-01-01', executed_text is not null) as has_executed
    from typed
)

select
    _row_id,
    patient_id,
    patient_id || '-' || cast(stay_no as varchar) as stay_id,
    order_id,
    coalesce(class_read, if(class_text is null, null, 'other')) as order_class,
    is_standing,
    drug_text,
    drug,
    drug_class,
    dose,
    dose_unit,
    frequency,
    route,
    ordered_at,
    started_at,
    stopped_at,
    executed_at,
    coalesce(status_read, 'new') as status,
    note,
    if(is_mended, 'mojibake', null) as receipt,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(class_text is not null and class_read is null, 'order_class', null),
            if(standing_text is not null and is_standing is null, 'is_standing', null),
            if(is_unreadable, 'drug_text', null),
            if(dose_text is not null and dose is null, 'dose', null),
            if(has_ordered and ordered_at is null, 'ordered_at', null),
            if(has_started and started_at is null, 'started_at', null),
            if(has_stopped and stopped_at is null, 'stopped_at', null),
            if(has_executed and executed_at is null, 'executed_at', null),
            if(status_text is not null and status_read is null, 'status', null)
        ),
        ''
    ) as unparsed
from dated
