-- Answers of assessments made outside the stay they are booked on, beyond the tolerance, and inside exactly one other
-- stay of the patient: they are booked on that one.
-- one row per row whose stay is put right
with outside as (
    select
        assessments._row_id,
        assessments.patient_id,
        assessments.assessed_at as happened_at,
        booked.admitted_at,
        booked.left_at
    from staging.assessments as assessments
    inner join audit.stay_spans as booked on assessments.stay_id = booked.stay_id
    where assessments.assessed_at < booked.opens_at or assessments.assessed_at >= booked.closes_at
),

found as (
    select
        outside._row_id,
        min(others.stay_id) as stay_id,
        min(others.admitted_at) as admitted_at,
        min(others.left_at) as left_at
    from outside
    inner join audit.stay_spans as others
        on
            outside.patient_id = others.patient_id
            and outside.happened_at >= others.admitted_at
            and outside.happened_at < others.left_at
    group by outside._row_id
    having count(*) = 1
)

select
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
from outside
inner join found on outside._row_id = found._row_id
