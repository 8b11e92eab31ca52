-- Front pages under a record number that two persons share: whose they are cannot be told.
-- one row per such front page
select
    patients._row_id,
    shared.observed
from staging.patients as patients
inner join audit.shared_record_numbers as shared on patients.patient_id = shared.patient_id
