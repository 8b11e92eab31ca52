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

listed as (
    select
        dated._row_id,
        dated.patient_id,
        dated.stay_text,
        dated.stay_no,
        dated.measured_at,
        dated.has_measured,
        sign.position,
        sign.item,
        sign.unit,
        trim(sign.cell, ' 　') as value_text
    from dated
    cross join lateral (
        values
        (1, 'temperature', 'Cel', dated.temperature),
        (2, 'heart_rate', '/min', dated.heart_rate),
        (3, 'respiratory_rate', '/min', dated.respiratory_rate),
        (4, 'sbp', 'mm[Hg]', dated.sbp),
        (5, 'dbp', 'mm[Hg]', dated.dbp),
        (6, 'spo2', '%', dated.spo2),
        (7, 'fio2', '%', dated.fio2),
        (8, 'consciousness', null, dated.consciousness),
        (9, 'urine_output_24h', 'mL', dated.urine_output),
        (10, 'height', 'cm', dated.height),
        (11, 'weight', 'kg', dated.weight)
    ) as sign (position, item, unit, cell)
),

filled as (
    select
        *,
        if(
            item = 'consciousness', null, try_cast(translate(value_text, '０１２３４５６７８９．', '0123456789.') as double)
        ) as value
    from listed
    where value_text is not null and value_text not in ('', '-', '--', '—', '/', 'NULL', '无数据')
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
