-- Procedures booked on a stay that has no front page.
-- one row per violating procedure
select
    procedures._row_id,
    procedures.stay_id as observed
from staging.procedures as procedures
semi join audit.orphan_stays as orphans on procedures.stay_id = orphans.stay_id
