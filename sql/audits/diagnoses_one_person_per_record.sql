-- Diagnoses under a record number that two persons share: whose they are cannot be told.
-- one row per such diagnosis
select
    diagnoses._row_id,
    shared.observed
from staging.diagnoses as diagnoses
inner join audit.shared_record_numbers as shared on diagnoses.patient_id = shared.patient_id
