-- Rows whose time lies outside the stay they are filed under, beyond the days of grace.
-- one row per violating row
with grace as (
    select cast(max(value) as integer) as days from rules.parameters
    where parameter = 'stay_tolerance_days'
),

stays as (
    select
        stay_id,
        min(admitted_at) as admitted_at,
        max(discharged_at) as discharged_at
    from staging.stays
    where discharged_at >= admitted_at
    group by stay_id
)

select
    rows._row_id,
    concat(rows.collected_at, ' outside ', stays.admitted_at, ' to ', stays.discharged_at) as observed
from staging.labs as rows
inner join stays on rows.stay_id = stays.stay_id
cross join grace
where
    rows.collected_at < date_trunc('day', stays.admitted_at) - to_days(grace.days)
    or rows.collected_at >= date_trunc('day', stays.discharged_at) + to_days(grace.days + 1)
