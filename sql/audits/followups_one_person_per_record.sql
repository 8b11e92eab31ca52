-- Calls under a record number that two persons share: whose they are cannot be told.
-- one row per such call
select
    followups._row_id,
    shared.observed
from staging.followups as followups
inner join audit.shared_record_numbers as shared on followups.patient_id = shared.patient_id
