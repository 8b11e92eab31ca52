-- Patients as the front page states them: pseudonyms, sex, birth month, and what the identity number encodes.
-- A name with a character lost on its way is left out, so that nothing is linked by it.
-- A birth date that is no day, before 1900 or after the admission is left out, told in `birth_problem`, and named in
-- `unparsed` unless a valid identity number has the right one. Of the date only the month is known: a patient who has
-- lived for years cannot have been born in the month of the admission.
-- one row per delivered front page
with pages_2011 as (
    select
        *,
        'F2011' as form
    from raw.his__front_page_2011
),

pages_2001 as (
    select
        *,
        'F2001' as form
    from raw.his__front_page_2001
),

pages as (
    select * from pages_2011
    union all by name
    select * from pages_2001
),

cleaned as (
    select
        _row_id,
        form,
        bah as patient_id,
        xm as name_hash,
        coalesce(cast(xm__damaged as boolean), false) as is_name_damaged,
        sfzh as national_id,
        cast(sfzh__valid as boolean) as national_id_valid,
        sfzh__birth_month as encoded_birth_month,
        sfzh__sex as encoded_sex,
        csrq as stated_birth_month,
        csrq__problem as birth_problem,
        if(trim(zycs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(zycs, ' 　')) as stay_text,
        if(trim(nl, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(nl, ' 　')) as age_text,
        if(trim(xb, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(xb, ' 　')) as sex_text,
        if(trim(rysj, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(rysj, ' 　')) as admitted_text
    from pages
),

typed as (
    select
        *,
        try_cast(stay_text as bigint) as stay_no,
        cast(try_strptime(encoded_birth_month, ['%Y-%m']) as date) as national_id_birth_month,
        cast(try_strptime(stated_birth_month, ['%Y-%m']) as date) as birth_read,
        coalesce(try_cast(rtrim(age_text, '岁') as double) >= 1, false) as is_years_old,
        cast(try_strptime(admitted_text, ['%Y-%m-%d', '%Y/%m/%d']) as date) as admitted_on,
        case
            when form = 'F2011'
                then case sex_text when '1' then 'male' when '2' then 'female' when '9' then 'unknown' end
            else case sex_text when '男' then 'male' when '女' then 'female' end
        end as sex_read
    from cleaned
),

judged as (
    select
        *,
        case
            when birth_problem is not null or birth_read < date '1900-01-01' then 'no_such_day'
            when birth_read > admitted_on then 'after_admission'
            when birth_read = date_trunc('month', admitted_on) and is_years_old then 'after_admission'
        end as birth_problem_seen
    from typed
)

select
    _row_id,
    patient_id,
    patient_id as person_id,
    patient_id || '-' || coalesce(cast(stay_no as varchar), stay_text) as stay_id,
    national_id,
    national_id_valid,
    national_id_birth_month,
    if(encoded_sex in ('male', 'female'), encoded_sex, null) as national_id_sex,
    if(is_name_damaged, null, name_hash) as name_id,
    coalesce(sex_read, 'unknown') as sex,
    if(birth_problem_seen is null, birth_read, null) as birth_month,
    birth_problem_seen as birth_problem,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(sex_text is not null and sex_read is null, 'sex', null),
            if(
                birth_problem_seen is not null and not coalesce(national_id_valid, false), 'birth_month', null
            )
        ),
        ''
    ) as unparsed
from judged
