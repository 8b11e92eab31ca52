-- Answers booked on a stay that has no front page.
-- one row per violating answer
select
    assessments._row_id,
    assessments.stay_id as observed
from staging.assessments as assessments
semi join audit.orphan_stays as orphans on assessments.stay_id = orphans.stay_id
