-- Procedures with a name that lost a character on its way.
-- one row per such procedure
select
    procedures._row_id,
    'a character of the name was lost' as observed
from staging.procedures as procedures
semi join audit.damaged_names as damaged on row_raw(procedures._row_id) = damaged.raw_id
