-- Events outside the stay they are booked on, beyond the tolerance: specimens by the time they were collected, answers
-- of assessments by that of the assessment, procedures by their start. `table_name` says which table a row is of.
-- one row per such event
with events as (
    select
        'labs' as table_name,
        _row_id,
        patient_id,
        stay_id,
        collected_at as happened_at
    from staging.labs
    union all
    select
        'assessments' as table_name,
        _row_id,
        patient_id,
        stay_id,
        assessed_at as happened_at
    from staging.assessments
    union all
    select
        'procedures' as table_name,
        _row_id,
        patient_id,
        stay_id,
        started_at as happened_at
    from staging.procedures
)

select
    events.table_name,
    events._row_id,
    events.patient_id,
    events.happened_at,
    booked.admitted_at,
    booked.opens_at,
    booked.closes_at
from events
inner join audit.stay_spans as booked on events.stay_id = booked.stay_id
where events.happened_at < booked.opens_at or events.happened_at >= booked.closes_at
