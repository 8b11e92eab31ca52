-- Infusions under a record number that two persons share: whose they are cannot be told.
-- one row per such infusion
select
    infusions._row_id,
    shared.observed
from staging.infusions as infusions
inner join audit.shared_record_numbers as shared on infusions.patient_id = shared.patient_id
