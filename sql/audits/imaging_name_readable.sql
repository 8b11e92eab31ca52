-- Imaging reports with a name that lost a character on its way.
-- one row per such report
select
    imaging._row_id,
    'a character of the name was lost' as observed
from staging.imaging as imaging
semi join audit.damaged_names as damaged on row_raw(imaging._row_id) = damaged.raw_id
