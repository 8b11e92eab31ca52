-- Signs measured hours before or after the stay they are booked on.
-- one row per violating sign
with tolerances as (
    select
        to_hours(cast(max(value) filter (where item = 'vitals_hours_before') as integer)) as before,
        to_hours(cast(max(value) filter (where item = 'vitals_hours_after') as integer)) as after
    from rules.definitions
    where definition = 'tolerances'
),

stays as (
    select
        staged.stay_id,
        min(staged.admitted_at) - max(tolerances.before) as opens_at,
        max(staged.discharged_at) + max(tolerances.after) as closes_at
    from staging.stays as staged
    cross join tolerances
    group by staged.stay_id
)

select
    vitals._row_id,
    concat('measured ', vitals.measured_at, ', stay from ', stays.opens_at, ' to ', stays.closes_at) as observed
from staging.vitals as vitals
inner join stays on vitals.stay_id = stays.stay_id
where vitals.measured_at < stays.opens_at or vitals.measured_at > stays.closes_at
