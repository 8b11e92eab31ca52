-- Front pages of a person who may be one seen before under another record number: the same name and birth month, and
-- not two valid identity numbers, which would differ.
-- one row per front page of the later record number
with persons as (
    select
        person_id,
        min(national_id) as national_id,
        min(first_admitted_at) as first_admitted_at
    from audit.record_numbers
    group by person_id
),

described as (
    select distinct
        person_id,
        name_id,
        birth_month,
        sex
    from audit.record_numbers
),

candidates as (
    select
        later.person_id,
        earlier.person_id as earlier_person_id,
        case
            when bool_or(later_described.sex = earlier_described.sex) then 'the same name, birth month and sex'
            else 'the same name and birth month'
        end as agrees
    from described as later_described
    inner join described as earlier_described
        on
            later_described.name_id = earlier_described.name_id
            and later_described.birth_month = earlier_described.birth_month
            and later_described.person_id <> earlier_described.person_id
    inner join persons as later on later_described.person_id = later.person_id
    inner join persons as earlier on earlier_described.person_id = earlier.person_id
    where
        (later.national_id is null or earlier.national_id is null)
        and (later.first_admitted_at, later.person_id) > (earlier.first_admitted_at, earlier.person_id)
    group by later.person_id, earlier.person_id
)

select
    patients._row_id,
    concat(candidates.agrees, ' as record number ', candidates.earlier_person_id) as observed
from staging.patients as patients
inner join candidates on patients.patient_id = candidates.person_id
