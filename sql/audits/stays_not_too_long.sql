-- Stays longer than a stay can be.
-- one row per violating stay
select
    stays._row_id,
    concat_ws(' to ', stays.admitted_at, stays.discharged_at) as observed
from staging.stays as stays
inner join rules.definitions as longest
    on longest.definition = 'stay_checks' and longest.item = 'days_max'
where stays.discharged_at > stays.admitted_at + to_days(cast(longest.value as integer))
