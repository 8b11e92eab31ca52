-- Procedures under a record number that two persons share: whose they are cannot be told.
-- one row per such procedure
select
    procedures._row_id,
    shared.observed
from staging.procedures as procedures
inner join audit.shared_record_numbers as shared on procedures.patient_id = shared.patient_id
