-- Structured progress assessments, unpivoted: one row for each filled cell, one for each value of a list, and always
-- one `note`, so that an assessment without any answer still stands as evidence of its time and occasion. The code of
-- a note is the same for all: by it a corrected assessment is known even when every answer changed.
-- A range of encephalopathy grades counts as its upper bound; a month or a year is an interval, never a mid-point, and
-- has a receipt where it stands for a date.
-- A day before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per assessed item (one per listed value for lists)
with assessments as (
    select * from raw.his__progress_assessments
),

words as (
    select * from mapping.list_words
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
        if(trim(评估号, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(评估号, ' 　')) as assessment_id,
        if(trim(评估时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(评估时间, ' 　')) as assessed_text,
        if(trim(评估类型, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(评估类型, ' 　')) as type_text,
        肝性脑病 as he_grade,
        腹水 as ascites,
        感染 as infection,
        感染部位 as infection_site,
        消化道出血 as gi_bleed,
        肝肾综合征 as hrs,
        肝硬化 as cirrhosis,
        hbsag阳性史 as hbsag_history,
        抗病毒史 as antiviral_history,
        起病日期 as onset,
        aclf诊断 as aclf_diagnosis,
        合并症 as comorbidity,
        病程摘要 as note
    from assessments
),

timed as (
    select
        cleaned.*,
        try_cast(cleaned.stay_text as bigint) as stay_no,
        try_strptime(cleaned.assessed_text, ['%Y-%m-%d %H:%M:%S']) as assessed_read,
        case cleaned.type_text
            when '入院' then 'admission'
            when '日常' then 'daily'
            when '抢救' then 'rescue'
            when '出院' then 'discharge'
            when '死亡' then 'death'
        end as type_read,
        greatest(births.born_from, date '1950-01-01') as earliest,
        coalesce(batches.batch_on, date '9999-12-31') as latest
    from cleaned
    left join births on cleaned.patient_id = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(cast(assessed_read as date) between earliest and latest, assessed_read, null) as assessed_at,
        coalesce(assessed_read <> timestamp '1900-01-01', assessed_text is not null) as has_assessed
    from timed
),

single as (
    select
        dated._row_id,
        answer.position,
        answer.item,
        trim(answer.cell, ' 　') as value_text
    from dated
    cross join lateral (
        values
        (1, 'he_grade', dated.he_grade),
        (2, 'ascites', dated.ascites),
        (3, 'infection', dated.infection),
        (4, 'gi_bleed', dated.gi_bleed),
        (5, 'hrs', dated.hrs),
        (6, 'cirrhosis', dated.cirrhosis),
        (7, 'hbsag_history', dated.hbsag_history),
        (8, 'antiviral_history', dated.antiviral_history),
        (9, 'onset', dated.onset),
        (10, 'aclf_diagnosis', dated.aclf_diagnosis)
    ) as answer (position, item, cell)
),

lists as (
    select
        dated._row_id,
        answer.position,
        answer.item,
        trim(answer.cell, ' 　') as list_text
    from dated
    cross join lateral (
        values
        (20, 'infection_site', dated.infection_site),
        (40, 'comorbidity', dated.comorbidity)
    ) as answer (position, item, cell)
),

split_lists as (
    select
        _row_id,
        position,
        item,
        regexp_split_to_array(translate(list_text, '；，,　', ';;; '), '[;、]') as parts
    from lists
    where list_text not in ('', '-', '--', '—', '/', 'NULL', '无数据')
),

listed as (
    select
        _row_id,
        position + generate_subscripts(parts, 1) as position,
        item,
        trim(unnest(parts)) as value_text
    from split_lists
),

notes as (
    select
        _row_id,
        60 as position,
        'note' as item,
        if(trim(note, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, note) as value_text
    from dated
),

filled as (
    select * from single
    where value_text not in ('', '-', '--', '—', '/', 'NULL', '无数据')
    union all
    select * from listed
    where value_text <> ''
    union all
    select * from notes
),

texts as (
    select distinct
        item,
        value_text
    from filled
    where item <> 'note'
),

plain_texts as (
    select
        item,
        value_text,
        regexp_replace(
            translate(
                value_text, '０１２３４５６７８９．（）＞～－—–ⅠⅡⅢⅣⅰⅱⅲⅳ　', '0123456789.()>~---12341234 '
            ),
            '\s',
            '',
            'g'
        ) as plain
    from texts
),

marked as (
    select
        *,
        replace(replace(replace(replace(plain, 'IV', '4'), 'III', '3'), 'II', '2'), 'I', '1') as arabic,
        cast(try_strptime(plain, ['%Y-%m-%d', '%Y/%m/%d', '%Y年%m月%d日']) as date) as day_on,
        cast(try_strptime(plain, ['%Y年%m月', '%Y-%m', '%Y.%m', '%Y/%m']) as date) as month_on,
        try_cast(regexp_extract(plain, '^((?:19|20)\d{2})年?(体检)?(发现)?(阳性)?$', 1) as integer) as year_no
    from plain_texts
),

spans as (
    select
        item,
        value_text,
        plain,
        try_cast(
            nullif(regexp_extract(arabic, '^(?:[0-4][期级度]?[-~至])?([0-4])[期级度]?$', 1), '') as double
        ) as grade,
        regexp_full_match(arabic, '[0-4][期级度]?[-~至].*') as is_range,
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

answers as (
    select
        spans.item,
        spans.value_text,
        case
            when spans.item = 'he_grade' and spans.plain = '无' then 0
            when spans.item = 'he_grade' then spans.grade
        end as value,
        if(spans.item = 'he_grade', spans.is_range and spans.grade is not null, null) as is_range,
        if(spans.item in ('onset', 'hbsag_history'), spans.first_on, null) as first_on,
        if(spans.item in ('onset', 'hbsag_history'), spans.last_on, null) as last_on,
        if(spans.item in ('onset', 'hbsag_history'), spans.precision, null) as precision,
        case spans.item
            when 'ascites'
                then case spans.plain
                    when '无' then 'none'
                    when '少量' then 'mild'
                    when '中量' then 'moderate'
                    when '大量' then 'severe'
                    when '有' then 'present'
                end
            when 'infection'
                then case spans.plain
                    when '无' then 'none'
                    when '可疑' then 'suspected'
                    when '有' then 'yes'
                end
            when 'gi_bleed' then case spans.plain when '无' then 'none' when '有' then 'yes' end
            when 'hrs' then case spans.plain when '无' then 'none' when '有' then 'yes' end
            when 'cirrhosis'
                then case spans.plain
                    when '无' then 'none'
                    when '代偿期' then 'compensated'
                    when '失代偿期' then 'decompensated'
                    when '有' then 'yes'
                    when '不详' then 'unknown'
                end
            when 'hbsag_history'
                then case
                    when regexp_full_match(spans.plain, '阳性>6个月|阳性\d+余?年(余)?') then 'over_6_months'
                    when spans.plain = '首次发现' then 'first_found'
                    when spans.plain = '不详' then 'unknown'
                    when spans.first_on is not null then 'dated'
                end
            when 'antiviral_history'
                then case spans.plain
                    when '未用' then 'naive'
                    when '规律服用' then 'on'
                    when '自行停药' then 'withdrawn'
                    when '不详' then 'unknown'
                end
            when 'onset' then if(spans.first_on is not null, 'dated', null)
            when 'aclf_diagnosis'
                then case regexp_extract(spans.plain, '\((早|中|晚)期\)$', 1)
                    when '早' then 'early'
                    when '中' then 'middle'
                    when '晚' then 'late'
                end
            else words.value_code
        end as value_code
    from spans
    left join words on spans.item = words.item and spans.plain = words.text
),

answered as (
    select
        filled._row_id,
        filled.position,
        filled.item,
        filled.value_text,
        dated.patient_id,
        dated.stay_text,
        dated.stay_no,
        dated.assessment_id,
        dated.assessed_at,
        dated.has_assessed,
        dated.type_text,
        dated.type_read,
        answers.value,
        answers.is_range,
        answers.precision,
        answers.value_code,
        filled.item not in ('he_grade', 'onset', 'note') as is_coded,
        answers.first_on,
        answers.last_on,
        coalesce(answers.first_on > dated.latest or answers.last_on < dated.earliest, false) as is_impossible
    from filled
    inner join dated on filled._row_id = dated._row_id
    left join answers on filled.item = answers.item and filled.value_text = answers.value_text
)

select
    row_item(_row_id, position) as _row_id,
    patient_id,
    patient_id || '-' || cast(stay_no as varchar) as stay_id,
    assessment_id,
    assessed_at,
    coalesce(type_read, if(type_text is null, null, 'other')) as assessment_type,
    item,
    value_text,
    case
        when item = 'note' then 'note'
        when not is_impossible then value_code
    end as value_code,
    value,
    is_range,
    if(is_impossible, null, first_on) as from_on,
    if(is_impossible, null, last_on) as to_on,
    if(is_impossible, null, precision) as precision,
    if(
        not is_impossible
        and precision in ('month', 'year')
        and regexp_full_match(value_text, '[0-9０-９年月．./－-]+'),
        precision || '_only',
        null
    ) as receipt,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(has_assessed and assessed_at is null, 'assessed_at', null),
            if(type_text is not null and type_read is null, 'assessment_type', null),
            if(item = 'he_grade' and value is null, 'value', null),
            if(is_coded and not is_impossible and value_code is null, 'value_code', null),
            if(is_impossible or (item = 'onset' and first_on is null), 'from_on', null)
        ),
        ''
    ) as unparsed
from answered
