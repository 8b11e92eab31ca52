-- Orders booked on a stay that has no front page.
-- one row per violating order
select
    medications._row_id,
    medications.stay_id as observed
from staging.medications as medications
semi join audit.orphan_stays as orphans on medications.stay_id = orphans.stay_id
