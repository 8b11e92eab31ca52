-- Results booked on a stay that has no front page.
-- one row per violating result
select
    _row_id,
    stay_id as observed
from staging.labs
where stay_id is not null and stay_id not in (select stays.stay_id from staging.stays as stays)
