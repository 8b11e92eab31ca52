-- Stays that can have been: neither ending before they began nor longer than any stay is, each with the span inside
-- which events are believed (`opens_at` to `closes_at`, with the tolerance on both sides).
-- one row per stay
with tolerances as (
    select
        to_days(cast(max(value) filter (where item = 'stay_days') as integer)) as stay_days,
        to_days(cast(max(value) filter (where item = 'stay_days_max') as integer)) as stay_days_max
    from rules.definitions
    where definition = 'tolerances'
),

stays as (
    select
        patient_id,
        stay_id,
        min(admitted_at) as admitted_at,
        max(cast(discharged_at as date)) + to_days(1) as left_at
    from staging.stays
    group by patient_id, stay_id
)

select
    stays.patient_id,
    stays.stay_id,
    stays.admitted_at,
    stays.left_at,
    stays.admitted_at - tolerances.stay_days as opens_at,
    stays.left_at + tolerances.stay_days as closes_at
from stays
cross join tolerances
where
    stays.left_at > stays.admitted_at
    and stays.left_at <= stays.admitted_at + tolerances.stay_days_max + to_days(1)
