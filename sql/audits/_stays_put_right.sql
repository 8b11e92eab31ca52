-- Events outside the stay they are booked on and inside exactly one other stay of the patient: booked on that one.
-- one row per event whose stay is put right
with found as (
    select
        outside._row_id,
        min(others.stay_id) as stay_id,
        min(others.admitted_at) as admitted_at
    from audit.events_outside_stay as outside
    inner join audit.stay_spans as others
        on
            outside.patient_id = others.patient_id
            and outside.happened_at >= others.admitted_at
            and outside.happened_at < others.left_at
    group by outside._row_id
    having count(*) = 1
)

select
    outside.table_name,
    outside._row_id,
    concat(
        'on ', cast(outside.happened_at as date), ', booked on the stay of ', cast(outside.admitted_at as date)
    ) as observed,
    'stay_id' as column_name,
    found.stay_id as became,
    concat(
        'outside the stay it is booked on, and inside one other stay of the patient, which began on ',
        cast(found.admitted_at as date)
    ) as evidence,
    'strong' as confidence
from audit.events_outside_stay as outside
inner join found on outside._row_id = found._row_id
