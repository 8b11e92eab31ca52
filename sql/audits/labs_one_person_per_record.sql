-- Results under a record number that two persons share: whose they are cannot be told.
-- one row per such result
select
    labs._row_id,
    shared.observed
from staging.labs as labs
inner join audit.shared_record_numbers as shared on labs.patient_id = shared.patient_id
