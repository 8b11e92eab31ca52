-- Front pages with a name that lost a character on its way.
-- one row per such front page
select
    patients._row_id,
    'a character of the name was lost' as observed
from staging.patients as patients
semi join audit.damaged_names as damaged on row_raw(patients._row_id) = damaged.raw_id
