-- Stays with more than one current front page.
-- one row per such front page
select
    _row_id,
    concat(count(*) over (partition by patient_id, stay_id), ' front pages') as observed
from staging.stays
qualify count(*) over (partition by patient_id, stay_id) > 1
