-- Signs under a record number that two persons share: whose they are cannot be told.
-- one row per such sign
select
    vitals._row_id,
    shared.observed
from staging.vitals as vitals
inner join audit.shared_record_numbers as shared on vitals.patient_id = shared.patient_id
