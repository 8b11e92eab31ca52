-- Patients: pseudonym, sex and, where the source gives a birth date, the birth month. There is no identity number and
-- no name, so a patient is a person.
-- one row per delivered patient
with patients as (
    select * from raw.clif__patient
),

cleaned as (
    select
        _row_id,
        patient_id,
        nullif(trim(sex_category), '') as sex_text,
        case lower(trim(sex_category))
            when 'female' then 'female'
            when 'male' then 'male'
            when 'unknown' then 'unknown'
        end as sex_read,
        cast(try_strptime(birth_date, ['%Y-%m']) as date) as birth_month,
        birth_date__problem is not null as is_impossible
    from patients
)

select
    _row_id,
    patient_id,
    patient_id as person_id,
    cast(null as varchar) as stay_id,
    cast(null as varchar) as national_id,
    cast(null as boolean) as national_id_valid,
    cast(null as date) as national_id_birth_month,
    cast(null as varchar) as national_id_sex,
    cast(null as varchar) as name_id,
    coalesce(sex_read, 'unknown') as sex,
    birth_month,
    if(is_impossible, 'no_such_day', null) as birth_problem,
    nullif(
        concat_ws(
            ',',
            if(sex_text is not null and sex_read is null, 'sex', null),
            if(is_impossible, 'birth_month', null)
        ),
        ''
    ) as unparsed
from cleaned
