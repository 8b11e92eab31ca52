-- Stays longer than any stay is.
-- one row per violating stay
with tolerances as (
    select max(value) filter (where item = 'stay_days_max') as days_max
    from rules.definitions
    where definition = 'tolerances'
)

select
    stays._row_id,
    concat(date_diff('day', stays.admitted_at, stays.discharged_at), ' days') as observed
from staging.stays as stays
cross join tolerances
where date_diff('day', stays.admitted_at, stays.discharged_at) > tolerances.days_max
