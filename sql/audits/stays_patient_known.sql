-- Stays of a record number that no front page has.
-- one row per violating row
select
    _row_id,
    'no front page' as observed
from staging.stays
where patient_id not in (select patients.patient_id from staging.patients as patients)
