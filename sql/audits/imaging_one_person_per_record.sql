-- Imaging reports under a record number that two persons share: whose they are cannot be told.
-- one row per such report
select
    imaging._row_id,
    shared.observed
from staging.imaging as imaging
inner join audit.shared_record_numbers as shared on imaging.patient_id = shared.patient_id
