-- Infusions with a name that lost a character on its way.
-- one row per such infusion
select
    infusions._row_id,
    'a character of the name was lost' as observed
from staging.infusions as infusions
semi join audit.damaged_names as damaged on row_raw(infusions._row_id) = damaged.raw_id
