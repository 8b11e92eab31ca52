-- Procedures started too long before or after the stay they are booked on.
-- one row per violating row
with tolerances as (
    select to_days(cast(max(value) filter (where item = 'stay_days') as integer)) as stay_days
    from rules.definitions
    where definition = 'tolerances'
),

stays as (
    select
        staged.stay_id,
        min(staged.admitted_at) - max(tolerances.stay_days) as opens_at,
        max(cast(staged.discharged_at as date)) + to_days(1) + max(tolerances.stay_days) as closes_at
    from staging.stays as staged
    cross join tolerances
    group by staged.stay_id
)

select
    procedures._row_id,
    concat('on ', procedures.started_at, ', stay with tolerance from ', stays.opens_at) as observed
from staging.procedures as procedures
inner join stays on procedures.stay_id = stays.stay_id
where procedures.started_at < stays.opens_at or procedures.started_at >= stays.closes_at
