-- Results of a record number without a front page.
-- one row per violating result
select
    labs._row_id,
    'no front page' as observed
from staging.labs as labs
anti join staging.patients as patients on labs.patient_id = patients.patient_id
