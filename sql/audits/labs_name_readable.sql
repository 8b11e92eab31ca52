-- Results with a name that lost a character on its way.
-- one row per such result
select
    labs._row_id,
    'a character of the name was lost' as observed
from staging.labs as labs
semi join audit.damaged_names as damaged on row_raw(labs._row_id) = damaged.raw_id
