-- Vital signs, unpivoted: one row for each filled cell. Consciousness keeps its word and has no number.
-- A blank inspired oxygen is not room air: it is not stated. Sentinels (999, 0, -1) are numbers here, for the rules.
-- A time before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per sign, patient and time
with signs as (
    select * from raw.his__vital_signs
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
        if(trim(测量时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(测量时间, ' 　')) as measured_text,
        "体温(°C)" as temperature,
        "脉搏(次/分)" as heart_rate,
        "呼吸(次/分)" as respiratory_rate,
        "收缩压(mmHg)" as sbp,
        "舒张压(mmHg)" as dbp,
        "血氧饱和度(%)" as spo2,
        "吸氧浓度(%)" as fio2,
        意识 as consciousness,
        "24小时尿量(mL)" as urine_output,
        "身高(cm)" as height,
        "体重(kg)" as weight
    from signs
),

timed as (
    select
        cleaned.*,
        try_cast(cleaned.stay_text as bigint) as stay_no,
        try_strptime(cleaned.measured_text, ['%Y-%m-%d %H:%M:%S']) as measured_read,
        greatest(cast(births.born_from as timestamp), timestamp '1950-01-01') as earliest,
        coalesce(cast(batches.batch_on + 1 as timestamp), timestamp '9999-12-31') as latest
    from cleaned
    left join births on cleaned.patient_id = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(measured_read >= earliest and measured_read < latest, measured_read, null) as measured_at,
        coalesce(measured_read <> timestamp '1900-01-01', measured_text is not null) as has_measured
    from timed
),

items (position, item, unit) as (
    values
    (1, 'temperature', 'Cel'),
    (2, 'heart_rate', '/min'),
    (3, 'respiratory_rate', '/min'),
    (4, 'sbp', 'mm[Hg]'),
    (5, 'dbp', 'mm[Hg]'),
    (6, 'spo2', '%'),
    (7, 'fio2', '%'),
    (8, 'consciousness', null),
    (9, 'urine_output_24h', 'mL'),
    (10, 'height', 'cm'),
    (11, 'weight', 'kg')
),

cells as (
    select
        _row_id,
        patient_id,
        stay_text,
        stay_no,
        measured_at,
        has_measured,
        unnest(range(1, 12)) as position,
        unnest(
            [
                temperature,
                heart_rate,
                respiratory_rate,
                sbp,
                dbp,
                spo2,
                fio2,
                consciousness,
                urine_output,
                height,
                weight,
            ]
        ) as cell
    from dated
),

texts as (
    select
        * exclude (cell),
        trim(cell, ' 　') as value_text
    from cells
),

filled as (
    select
        texts.*,
        items.item,
        items.unit,
        if(
            items.item = 'consciousness',
            null,
            try_cast(translate(texts.value_text, '０１２３４５６７８９．', '0123456789.') as double)
        ) as value
    from texts
    inner join items on texts.position = items.position
    where not list_contains(['', '-', '--', '—', '/', 'NULL', '无数据'], texts.value_text)
)

select
    row_item(_row_id, position) as _row_id,
    patient_id,
    patient_id || '-' || cast(stay_no as varchar) as stay_id,
    measured_at,
    item,
    value_text,
    value,
    unit,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(has_measured and measured_at is null, 'measured_at', null),
            if(
                if(item = 'consciousness', value_text not in ('清醒', '嗜睡', '昏睡', '昏迷'), value is null),
                'value',
                null
            )
        ),
        ''
    ) as unparsed
from filled
