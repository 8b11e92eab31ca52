-- Orders with a name that lost a character on its way.
-- one row per such order
select
    medications._row_id,
    'a character of the name was lost' as observed
from staging.medications as medications
semi join audit.damaged_names as damaged on row_raw(medications._row_id) = damaged.raw_id
