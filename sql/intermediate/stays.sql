-- Stays of persons, with the episode each belongs to: a stay that follows the one before it on the same ward, with the
-- next ordinal and hardly a gap, continues that episode. Where only dates are known, hours are whole days.
-- one row per stay
with parameters as (
    select max(value) filter (where parameter = 'episode_gap_days') as episode_gap_days
    from rules.parameters
),

persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

stays as (
    select
        persons.person_id,
        stays.*
    from core.stays as stays
    inner join persons on stays.patient_id = persons.patient_id
),

neighbours as (
    select
        *,
        lag(patient_id) over earlier as previous_patient_id,
        lag(stay_no) over earlier as previous_stay_no,
        lag(ward_out) over earlier as previous_ward_out,
        lag(discharged_at) over earlier as previous_discharged_at
    from stays
    window earlier as (partition by person_id order by admitted_at, stay_no, stay_id)
),

judged as (
    select
        neighbours.*,
        coalesce(
            neighbours.previous_patient_id = neighbours.patient_id
            and neighbours.previous_stay_no + 1 = neighbours.stay_no
            and neighbours.previous_ward_out = neighbours.ward_in
            and date_diff('day', neighbours.previous_discharged_at, neighbours.admitted_at)
            between 0 and parameters.episode_gap_days,
            false
        ) as continues
    from neighbours
    cross join parameters
),

numbered as (
    select
        *,
        count(*) filter (where not continues) over (
            partition by person_id order by admitted_at, stay_no, stay_id
        ) as episode_no
    from judged
)

select
    person_id,
    patient_id,
    stay_id,
    first_value(stay_id) over (
        partition by person_id, episode_no order by admitted_at, stay_no, stay_id
    ) as episode_id,
    stay_no,
    admitted_at,
    admitted_precision,
    discharged_at,
    discharged_precision,
    cast(admitted_at as date) as admitted_on,
    cast(discharged_at as date) as discharged_on,
    age_years_stated,
    ward_in,
    ward_out,
    disposition,
    coalesce(disposition = 'died' or outcome_stated = 'died', false) as has_died,
    form,
    _row_id
from numbered
