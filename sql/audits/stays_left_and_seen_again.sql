-- Last stays that ended against advice after which nothing is recorded but calls that reached nobody.
-- one row per violating stay
with persons as (
    select
        patient_id,
        min(person_id) as person_id
    from staging.patients
    group by patient_id
),

stays as (
    select
        persons.person_id,
        stays._row_id,
        stays.disposition,
        stays.discharged_at,
        row_number() over (partition by persons.person_id order by stays.admitted_at desc, stays._row_id desc) as place
    from staging.stays as stays
    inner join persons on stays.patient_id = persons.patient_id
    where stays.discharged_at is not null
),

records as (
    select
        patient_id,
        collected_at as seen_at
    from staging.labs
    union all
    select
        patient_id,
        measured_at as seen_at
    from staging.vitals
    union all
    select
        patient_id,
        assessed_at as seen_at
    from staging.assessments
    union all
    select
        patient_id,
        examined_at as seen_at
    from staging.imaging
    union all
    select
        patient_id,
        started_at as seen_at
    from staging.procedures
    union all
    select
        patient_id,
        coalesce(executed_at, started_at) as seen_at
    from staging.medications
    where status <> 'cancelled'
    union all
    select
        patient_id,
        cast(infused_on as timestamp) as seen_at
    from staging.infusions
    union all
    select
        patient_id,
        cast(died_to as timestamp) as seen_at
    from audit.death_statements
    union all
    select
        patient_id,
        cast(coalesce(informed_on, called_on) as timestamp) as seen_at
    from staging.followups
    where reached = 'yes' or informed_on is not null
),

last_records as (
    select
        persons.person_id,
        max(cast(records.seen_at as date)) as seen_on
    from records
    inner join persons on records.patient_id = persons.patient_id
    group by persons.person_id
)

select
    stays._row_id,
    concat('left on ', cast(stays.discharged_at as date), ', nothing recorded after it') as observed
from stays
left join last_records on stays.person_id = last_records.person_id
where
    stays.place = 1
    and stays.disposition = 'against_advice'
    and coalesce(last_records.seen_on <= cast(stays.discharged_at as date), true)
