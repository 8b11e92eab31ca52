-- Follow-up calls, as stated: what was said, when, and the day the statement is true for. A row coded alive although
-- nobody was reached stays so here; the rules meet it. A month or a year is an interval, never a mid-point, and has a
-- receipt. A remark that tells of the death is marked; whether it is one is not decided here.
-- A day before 1950, before the birth month or after the batch is left out and named in `unparsed`; but a death that
-- would lie before the call, were its year one less, is a misprint for the rules to meet and stays.
-- one row per follow-up call and snapshot
with calls as (
    select * from raw.his__followup_calls
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
        病案号__padded as padded_patient_id,
        if(coalesce(cast(姓名__damaged as boolean), false), null, 姓名) as name_id,
        if(trim(随访日期, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(随访日期, ' 　')) as called_text,
        if(trim(随访方式, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(随访方式, ' 　')) as mode_text,
        if(trim(信息提供者, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(信息提供者, ' 　')) as informant_text,
        if(trim(是否接通, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(是否接通, ' 　')) as reached_text,
        if(trim(生存状态, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(生存状态, ' 　')) as status_text,
        if(trim(信息日期, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(信息日期, ' 　')) as informed_text,
        if(trim(死亡日期, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(死亡日期, ' 　')) as died_text,
        if(trim(死亡原因, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(死亡原因, ' 　')) as cause,
        if(trim(肝移植, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(肝移植, ' 　')) as transplant_text,
        if(trim(移植日期, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(移植日期, ' 　')) as grafted_text,
        if(trim(备注, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(备注, ' 　')) as note
    from calls
),

date_texts as (
    select distinct unnest([called_text, informed_text, died_text, grafted_text]) as date_text
    from cleaned
),

marked as (
    select
        date_text,
        if(
            regexp_full_match(date_text, '\d{5}(\.0+)?'),
            date '1899-12-30' + cast(try_cast(date_text as double) as integer),
            cast(
                try_strptime(
                    date_text, ['%Y-%m-%d', '%Y-%m-%d %H:%M:%S', '%Y/%m/%d', '%Y年%m月%d日', '%Y.%m.%d']
                ) as date
            )
        ) as day_on,
        cast(try_strptime(date_text, ['%Y年%m月', '%Y-%m', '%Y.%m', '%Y/%m']) as date) as month_on,
        try_cast(regexp_extract(date_text, '^((?:19|20)\d{2})年?$', 1) as integer) as year_no
    from date_texts
    where date_text is not null
),

spans as (
    select
        date_text,
        day_on,
        coalesce(day_on, month_on, make_date(year_no, 1, 1)) as first_on,
        case
            when day_on is not null then day_on
            when month_on is not null then last_day(month_on)
            else make_date(year_no, 12, 31)
        end as last_on,
        case
            when day_on is not null then 'day'
            when month_on is not null then 'month'
            when year_no is not null then 'year'
        end as precision
    from marked
),

typed as (
    select
        cleaned.*,
        called.day_on as called_read,
        informed.day_on as informed_read,
        died.first_on as died_first,
        died.last_on as died_last,
        died.precision as died_precision,
        grafted.first_on as grafted_first,
        grafted.last_on as grafted_last,
        coalesce(grafted.precision, 'day') as grafted_precision,
        case cleaned.mode_text
            when '电话' then 'telephone'
            when '门诊' then 'clinic'
            when '住院' then 'inpatient'
            when '户籍查询' then 'registry'
        end as mode,
        case cleaned.informant_text
            when '本人' then 'patient'
            when '配偶' then 'spouse'
            when '子女' then 'child'
            when '父母' then 'parent'
            when '其他家属' then 'other_relative'
            when '无' then 'nobody'
        end as informant,
        case cleaned.reached_text
            when '是' then 'yes'
            when '否' then 'no'
            when '空号' then 'empty_number'
            when '停机' then 'out_of_service'
            when '拒访' then 'refused'
        end as reached,
        case cleaned.status_text
            when '存活' then 'alive'
            when '死亡' then 'dead'
            when '失访' then 'lost'
            when '肝移植后存活' then 'alive_after_transplant'
            when '不详' then 'unknown'
        end as status_read,
        case cleaned.transplant_text when '是' then 'yes' when '否' then 'no' when '不详' then 'unknown' end as transplant,
        greatest(births.born_from, date '1950-01-01') as earliest,
        coalesce(batches.batch_on, date '9999-12-31') as latest
    from cleaned
    left join spans as called on cleaned.called_text = called.date_text
    left join spans as informed on cleaned.informed_text = informed.date_text
    left join spans as died on cleaned.died_text = died.date_text
    left join spans as grafted on cleaned.grafted_text = grafted.date_text
    left join births on coalesce(cleaned.padded_patient_id, cleaned.patient_id) = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(called_read between earliest and latest, called_read, null) as called_on,
        if(informed_read between earliest and latest, informed_read, null) as informed_on,
        coalesce(
            died_last >= earliest and (died_first <= latest or died_first - interval '1 year' <= called_read), false
        ) as is_died_possible,
        coalesce(grafted_first <= latest and grafted_last >= earliest, false) as is_grafted_possible,
        coalesce(died_precision, 'day') as told_precision,
        coalesce(called_read <> date '1900-01-01', called_text is not null) as has_called,
        coalesce(informed_read <> date '1900-01-01', informed_text is not null) as has_informed,
        coalesce(died_first <> date '1900-01-01', died_text is not null) as has_died,
        coalesce(grafted_first <> date '1900-01-01', grafted_text is not null) as has_grafted
    from typed
)

select
    _row_id,
    patient_id,
    padded_patient_id,
    name_id,
    called_on,
    mode,
    informant,
    reached,
    coalesce(status_read, 'unknown') as vital_status,
    informed_on,
    if(is_died_possible, died_first, null) as died_from,
    if(is_died_possible, died_last, null) as died_to,
    if(is_died_possible, died_precision, null) as died_precision,
    cause,
    transplant,
    if(is_grafted_possible, grafted_first, null) as transplanted_on,
    if(is_grafted_possible, grafted_last, null) as transplanted_to,
    note,
    regexp_matches(note, '(已故|病故|身故|去世|过世|死亡)')
    and not regexp_matches(note, '(未|没有|否认|无|不)[^，。；]{0,3}(已故|病故|身故|去世|过世|死亡)') as died_in_note,
    nullif(
        concat_ws(
            ',',
            if('month' in (told_precision, grafted_precision), 'month_only', null),
            if('year' in (told_precision, grafted_precision), 'year_only', null)
        ),
        ''
    ) as receipt,
    nullif(
        concat_ws(
            ',',
            if(has_called and called_on is null, 'called_on', null),
            if(mode_text is not null and mode is null, 'mode', null),
            if(informant_text is not null and informant is null, 'informant', null),
            if(reached_text is not null and reached is null, 'reached', null),
            if(status_text is not null and status_read is null, 'vital_status', null),
            if(has_informed and informed_on is null, 'informed_on', null),
            if(has_died and not is_died_possible, 'died_from', null),
            if(transplant_text is not null and transplant is null, 'transplant', null),
            if(has_grafted and not is_grafted_possible, 'transplanted_on', null)
        ),
        ''
    ) as unparsed
from dated
