-- Stays that rows of other tables are booked on and that have no front page, with the times of those rows. The middle
-- one tells where the stay lies even when a single time is wrong.
-- one row per stay without a front page
with events as (
    select
        patient_id,
        stay_id,
        collected_at as happened_at
    from staging.labs
    union all
    select
        patient_id,
        stay_id,
        coalesce(executed_at, started_at, ordered_at) as happened_at
    from staging.medications
    union all
    select
        patient_id,
        stay_id,
        started_at as happened_at
    from staging.procedures
    union all
    select
        patient_id,
        stay_id,
        assessed_at as happened_at
    from staging.assessments
    union all
    select
        patient_id,
        stay_id,
        measured_at as happened_at
    from staging.vitals
    union all
    select
        patient_id,
        stay_id,
        examined_at as happened_at
    from staging.imaging
)

select
    events.patient_id,
    events.stay_id,
    count(*) as events,
    median(events.happened_at) as middle_at
from events
anti join staging.stays as stays on events.stay_id = stays.stay_id
where events.stay_id is not null
group by events.patient_id, events.stay_id
