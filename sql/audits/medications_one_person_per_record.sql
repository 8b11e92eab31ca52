-- Orders under a record number that two persons share: whose they are cannot be told.
-- one row per such order
select
    medications._row_id,
    shared.observed
from staging.medications as medications
inner join audit.shared_record_numbers as shared on medications.patient_id = shared.patient_id
