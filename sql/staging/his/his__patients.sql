-- Patients as the front page states them: pseudonyms, sex, birth month, and what the identity number encodes.
-- A name with a character lost on its way is left out, so that nothing is linked by it.
-- A birth month that is no month, before 1900 or after the admission is left out, and named in `unparsed` unless a
-- valid identity number has the right one.
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
        coalesce(birth_read < date '1900-01-01' or birth_read > admitted_on, false) as is_impossible
    from typed
),

mended as (
    select
        *,
        (is_impossible or birth_problem is not null) and not coalesce(national_id_valid, false) as has_no_birth_month
    from judged
)

select
    _row_id,
    patient_id,
    patient_id || '-' || coalesce(cast(stay_no as varchar), stay_text) as stay_id,
    national_id,
    national_id_valid,
    national_id_birth_month,
    if(encoded_sex in ('male', 'female'), encoded_sex, null) as national_id_sex,
    if(is_name_damaged, null, name_hash) as name_id,
    coalesce(sex_read, 'unknown') as sex,
    if(is_impossible, null, birth_read) as birth_month,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(sex_text is not null and sex_read is null, 'sex', null),
            if(has_no_birth_month, 'birth_month', null)
        ),
        ''
    ) as unparsed
from mended
