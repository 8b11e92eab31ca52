-- Calls with a name that lost a character on its way.
-- one row per such call
select
    followups._row_id,
    'a character of the name was lost' as observed
from staging.followups as followups
semi join audit.damaged_names as damaged on row_raw(followups._row_id) = damaged.raw_id
