-- Signs booked on a stay that has no front page.
-- one row per violating sign
select
    vitals._row_id,
    vitals.stay_id as observed
from staging.vitals as vitals
semi join audit.orphan_stays as orphans on vitals.stay_id = orphans.stay_id
