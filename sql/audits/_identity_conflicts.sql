-- Front pages whose sex or birth month is not the one that their valid identity number encodes, with what sex and age
-- the laboratory states of the same record number. Of the birth date only the month is known: an age fits when it lies
-- between those at the first and at the last day of that month.
-- one row per front page and conflict (column)
with conflicts as (
    select
        _row_id,
        patient_id,
        'sex' as column_name,
        sex as stated,
        national_id_sex as encoded
    from staging.patients
    where national_id_valid and sex <> 'unknown' and national_id_sex <> 'unknown' and sex <> national_id_sex
    union all
    select
        _row_id,
        patient_id,
        'birth_month' as column_name,
        cast(birth_month as varchar) as stated,
        cast(national_id_birth_month as varchar) as encoded
    from staging.patients
    where national_id_valid and birth_month <> national_id_birth_month
),

told as (
    select distinct
        labs.patient_id,
        cast(labs.collected_at as date) as collected_on,
        nullif(labs.sex_stated, 'unknown') as sex,
        labs.age_years_stated as age_years
    from staging.labs as labs
    semi join conflicts on labs.patient_id = conflicts.patient_id
),

sexes as (
    select
        conflicts._row_id,
        conflicts.column_name,
        avg(cast(told.sex = conflicts.encoded as integer)) as encoded_share,
        avg(cast(told.sex = conflicts.stated as integer)) as stated_share
    from conflicts
    inner join told on conflicts.patient_id = told.patient_id
    where conflicts.column_name = 'sex' and told.sex is not null
    group by conflicts._row_id, conflicts.column_name
),

ages as (
    select
        conflicts._row_id,
        conflicts.column_name,
        told.age_years,
        date_sub('year', last_day(cast(conflicts.encoded as date)), told.collected_on) as encoded_youngest,
        date_sub('year', cast(conflicts.encoded as date), told.collected_on) as encoded_oldest,
        date_sub('year', last_day(cast(conflicts.stated as date)), told.collected_on) as stated_youngest,
        date_sub('year', cast(conflicts.stated as date), told.collected_on) as stated_oldest
    from conflicts
    inner join told on conflicts.patient_id = told.patient_id
    where conflicts.column_name = 'birth_month' and told.age_years is not null
),

births as (
    select
        _row_id,
        column_name,
        avg(cast(age_years between encoded_youngest and encoded_oldest as integer)) as encoded_share,
        avg(cast(age_years between stated_youngest and stated_oldest as integer)) as stated_share
    from ages
    group by _row_id, column_name
),

weighed as (
    select * from sexes
    union all
    select * from births
)

select
    conflicts._row_id,
    conflicts.column_name,
    conflicts.stated,
    conflicts.encoded,
    weighed.encoded_share,
    weighed.stated_share
from conflicts
left join weighed on conflicts._row_id = weighed._row_id and conflicts.column_name = weighed.column_name
