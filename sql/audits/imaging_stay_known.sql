-- Reports booked on a stay that has no front page.
-- one row per violating report
select
    imaging._row_id,
    imaging.stay_id as observed
from staging.imaging as imaging
semi join audit.orphan_stays as orphans on imaging.stay_id = orphans.stay_id
