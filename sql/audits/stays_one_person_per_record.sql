-- Stays under a record number that two persons share: whose they are cannot be told.
-- one row per such stay
select
    stays._row_id,
    shared.observed
from staging.stays as stays
inner join audit.shared_record_numbers as shared on stays.patient_id = shared.patient_id
