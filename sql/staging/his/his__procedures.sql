-- Procedures: the log of artificial liver, dialysis, punctures, endoscopy, ventilation and transplants, and the coded
-- procedures of the front page, whose number is the stay and the place on the form.
-- A time before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per procedure and place where it is recorded
with pages as (
    select
        _row_id,
        bah,
        zycs,
        ssjczbm1,
        ssjczrq1,
        ssjczmc1,
        ssjczbm2,
        ssjczrq2,
        ssjczmc2,
        ssjczbm3,
        ssjczrq3,
        ssjczmc3,
        ssjczbm4,
        ssjczrq4,
        ssjczmc4,
        ssjczbm5,
        ssjczrq5,
        ssjczmc5,
        ssjczbm6,
        ssjczrq6,
        ssjczmc6,
        ssjczbm7,
        ssjczrq7,
        ssjczmc7
    from raw.his__front_page_2011
    union all
    select
        _row_id,
        bah,
        zycs,
        ssjczbm1,
        ssjczrq1,
        ssjczmc1,
        ssjczbm2,
        ssjczrq2,
        ssjczmc2,
        ssjczbm3,
        ssjczrq3,
        ssjczmc3,
        ssjczbm4,
        ssjczrq4,
        ssjczmc4,
        ssjczbm5,
        ssjczrq5,
        ssjczmc5,
        ssjczbm6,
        ssjczrq6,
        ssjczmc6,
        ssjczbm7,
        ssjczrq7,
        ssjczmc7
    from raw.his__front_page_2001
),

procedure_log as (
    select * from raw.his__liver_support
),

words as (
    select
        used_for,
        text,
        category,
        nullif(is_plasma_exchange, '') = 'true' as is_plasma_exchange
    from mapping.procedure_words
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

log_cells as (
    select
        _row_id,
        病案号 as patient_id,
        if(trim(住院次数, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(住院次数, ' 　')) as stay_text,
        if(trim(流水号, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(流水号, ' 　')) as procedure_id,
        if(trim(治疗类别, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(治疗类别, ' 　')) as category_text,
        if(trim(治疗方式, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(治疗方式, ' 　')) as method_text,
        if(trim(开始时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(开始时间, ' 　')) as started_text,
        if(trim(结束时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(结束时间, ' 　')) as ended_text,
        trim("置换血浆量(mL)", ' 　') as plasma_cell,
        if(trim(并发症, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(并发症, ' 　')) as complication,
        if(trim(备注, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(备注, ' 　')) as note
    from procedure_log
),

logged as (
    select
        log_cells._row_id,
        log_cells.patient_id,
        log_cells.stay_text,
        log_cells.procedure_id,
        categories.category,
        log_cells.category_text is not null and categories.category is null as is_unlisted,
        log_cells.method_text,
        null as code_text,
        log_cells.started_text,
        try_strptime(log_cells.started_text, ['%Y-%m-%dT%H:%M:%S']) as started_read,
        log_cells.ended_text,
        try_strptime(log_cells.ended_text, ['%Y-%m-%dT%H:%M:%S']) as ended_read,
        if(
            log_cells.plasma_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, log_cells.plasma_cell
        ) as plasma_text,
        methods.is_plasma_exchange,
        log_cells.complication,
        log_cells.note,
        'procedure_log' as origin
    from log_cells
    left join words as categories on categories.used_for = 'category' and log_cells.category_text = categories.text
    left join words as methods on methods.used_for = 'method' and log_cells.method_text = methods.text
),

listed as (
    select
        pages._row_id,
        pages.bah as patient_id,
        operation.position,
        if(
            trim(pages.zycs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(pages.zycs, ' 　')
        ) as stay_text,
        if(
            trim(operation.code_cell, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'),
            null,
            trim(operation.code_cell, ' 　')
        ) as code_text,
        if(
            trim(operation.date_cell, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'),
            null,
            trim(operation.date_cell, ' 　')
        ) as started_text,
        if(
            trim(operation.name_cell, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'),
            null,
            trim(operation.name_cell, ' 　')
        ) as method_text
    from pages
    cross join lateral (
        values
        (1, pages.ssjczbm1, pages.ssjczrq1, pages.ssjczmc1),
        (2, pages.ssjczbm2, pages.ssjczrq2, pages.ssjczmc2),
        (3, pages.ssjczbm3, pages.ssjczrq3, pages.ssjczmc3),
        (4, pages.ssjczbm4, pages.ssjczrq4, pages.ssjczmc4),
        (5, pages.ssjczbm5, pages.ssjczrq5, pages.ssjczmc5),
        (6, pages.ssjczbm6, pages.ssjczrq6, pages.ssjczmc6),
        (7, pages.ssjczbm7, pages.ssjczrq7, pages.ssjczmc7)
    ) as operation (position, code_cell, date_cell, name_cell)
),

coded as (
    select
        row_item(listed._row_id, listed.position) as _row_id,
        listed.patient_id,
        listed.stay_text,
        concat(listed.patient_id, '-', listed.stay_text, '-', listed.position) as procedure_id,
        words.category,
        false as is_unlisted,
        listed.method_text,
        listed.code_text,
        listed.started_text,
        try_strptime(listed.started_text, ['%Y-%m-%d', '%Y/%m/%d']) as started_read,
        null as ended_text,
        null as ended_read,
        null as plasma_text,
        words.is_plasma_exchange,
        null as complication,
        null as note,
        'front_page' as origin
    from listed
    left join words on words.used_for = 'icd9' and starts_with(listed.code_text, words.text)
    where listed.code_text is not null or listed.started_text is not null or listed.method_text is not null
),

procedures as (
    select * from logged
    union all
    select * from coded
),

typed as (
    select
        procedures.*,
        try_cast(procedures.stay_text as bigint) as stay_no,
        try_cast(translate(procedures.plasma_text, '０１２３４５６７８９．', '0123456789.') as double) as plasma_ml,
        nullif(upper(replace(procedures.code_text, ' ', '')), '') as code,
        greatest(cast(births.born_from as timestamp), timestamp '1950-01-01') as earliest,
        coalesce(cast(batches.batch_on + 1 as timestamp), timestamp '9999-12-31') as latest
    from procedures
    left join births on procedures.patient_id = births.patient_id
    left join batches on row_file(procedures._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(started_read >= earliest and started_read < latest, started_read, null) as started_at,
        if(ended_read >= earliest and ended_read < latest, ended_read, null) as ended_at,
        coalesce(started_read <> timestamp '1900-01-01', started_text is not null) as has_started,
        coalesce(ended_read <> timestamp '1900-01-01', ended_text is not null) as has_ended
    from typed
)

select
    _row_id,
    patient_id,
    patient_id || '-' || cast(stay_no as varchar) as stay_id,
    procedure_id,
    coalesce(category, 'other') as category,
    method_text,
    code,
    if(code is null, null, 'ICD-9-CM-3') as code_system,
    started_at,
    ended_at,
    plasma_ml,
    is_plasma_exchange,
    complication,
    note,
    origin,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(is_unlisted, 'category', null),
            if(has_started and started_at is null, 'started_at', null),
            if(has_ended and ended_at is null, 'ended_at', null),
            if(plasma_text is not null and plasma_ml is null, 'plasma_ml', null)
        ),
        ''
    ) as unparsed
from dated
