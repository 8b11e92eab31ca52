-- Stays as the front page states them. The form of 2011 gives date and hour, the form of 2001 the date only.
-- 4 is death in CYQK (2001) and leaving against advice in LYFS (2011): read by form, never by value. The form of 2001
-- says how the patient was, not where to: without death its disposition is unknown.
-- A date before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per stay and delivery
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

births as (
    select
        _row_id,
        least(
            birth_month, if(national_id_valid, national_id_birth_month, null)
        ) as born_from
    from staging.patients
),

batches as (
    select
        file_id,
        cast(try_strptime(left(batch, 8), ['%Y%m%d']) as date) as batch_on
    from quality.files
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
        if(trim(zycs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(zycs, ' 　')) as stay_text,
        if(trim(rysj, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(rysj, ' 　')) as admitted_day,
        if(trim(rysjs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(rysjs, ' 　')) as admitted_hour,
        if(trim(cysj, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(cysj, ' 　')) as discharged_day,
        if(trim(cysjs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(cysjs, ' 　')) as discharged_hour,
        if(trim(nl, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(nl, ' 　')) as age_text,
        if(trim(rytj, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(rytj, ' 　')) as route_text,
        if(trim(rykb, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(rykb, ' 　')) as ward_in,
        if(trim(cykb, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(cykb, ' 　')) as ward_out,
        if(trim(lyfs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(lyfs, ' 　')) as disposition_text,
        if(trim(cyqk, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(cyqk, ' 　')) as outcome_text,
        if(trim(sjzyts, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(sjzyts, ' 　')) as days_text,
        if(trim(ylfkfs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(ylfkfs, ' 　')) as payer,
        case trim(xx, ' 　') when '1' then 'A' when '2' then 'B' when '3' then 'O' when '4' then 'AB' end as blood_group
    from pages
),

typed as (
    select
        *,
        try_cast(stay_text as bigint) as stay_no,
        try_strptime(admitted_day, ['%Y-%m-%d', '%Y/%m/%d']) as admitted_read,
        try_strptime(discharged_day, ['%Y-%m-%d', '%Y/%m/%d']) as discharged_read,
        if(regexp_full_match(admitted_hour, '[01]?\d|2[0-3]'), cast(admitted_hour as integer), null) as in_hour,
        if(regexp_full_match(discharged_hour, '[01]?\d|2[0-3]'), cast(discharged_hour as integer), null) as out_hour,
        try_cast(rtrim(age_text, '岁') as double) as age_years_stated,
        try_cast(days_text as double) as days_stated,
        case route_text
            when '1' then 'emergency'
            when '2' then 'outpatient'
            when '3' then 'transfer'
            when '9' then 'other'
        end as route,
        case disposition_text
            when '1' then 'home'
            when '2' then 'transfer'
            when '3' then 'community'
            when '4' then 'against_advice'
            when '5' then 'died'
            when '9' then 'other'
        end as disposition_read,
        case outcome_text
            when '1' then 'cured'
            when '2' then 'improved'
            when '3' then 'not_cured'
            when '4' then 'died'
            when '5' then 'other'
        end as outcome_stated
    from cleaned
),

bounded as (
    select
        typed.*,
        greatest(cast(births.born_from as timestamp), timestamp '1950-01-01') as earliest,
        coalesce(cast(batches.batch_on + 1 as timestamp), timestamp '9999-12-31') as latest
    from typed
    left join births on typed._row_id = births._row_id
    left join batches on row_file(typed._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(admitted_read >= earliest and admitted_read < latest, admitted_read, null) as admitted_date,
        if(discharged_read >= earliest and discharged_read < latest, discharged_read, null) as discharged_date,
        coalesce(admitted_read <> timestamp '1900-01-01', admitted_day is not null) as has_admitted,
        coalesce(discharged_read <> timestamp '1900-01-01', discharged_day is not null) as has_discharged
    from bounded
)

select
    _row_id,
    patient_id,
    concat(patient_id, '-', coalesce(cast(stay_no as varchar), stay_text)) as stay_id,
    stay_no,
    cast(null as varchar) as episode_stay_id,
    admitted_date + to_hours(coalesce(in_hour, 0)) as admitted_at,
    case
        when admitted_date is null then null
        when in_hour is null then 'day'
        else 'hour'
    end as admitted_precision,
    discharged_date + to_hours(coalesce(out_hour, 0)) as discharged_at,
    case
        when discharged_date is null then null
        when out_hour is null then 'day'
        else 'hour'
    end as discharged_precision,
    age_years_stated,
    route,
    ward_in,
    ward_out,
    coalesce(disposition_read, if(outcome_stated = 'died', 'died', 'unknown')) as disposition,
    outcome_stated,
    days_stated,
    payer,
    blood_group,
    form,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_no', null),
            if(has_admitted and admitted_date is null, 'admitted_at', null),
            if(admitted_hour is not null and in_hour is null, 'admitted_precision', null),
            if(has_discharged and discharged_date is null, 'discharged_at', null),
            if(discharged_hour is not null and out_hour is null, 'discharged_precision', null),
            if(age_text is not null and age_years_stated is null, 'age_years_stated', null),
            if(route_text is not null and route is null, 'route', null),
            if(disposition_text is not null and disposition_read is null, 'disposition', null),
            if(outcome_text is not null and outcome_stated is null, 'outcome_stated', null),
            if(days_text is not null and days_stated is null, 'days_stated', null)
        ),
        ''
    ) as unparsed
from dated
