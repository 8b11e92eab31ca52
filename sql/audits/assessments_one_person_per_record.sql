-- Answers of assessments under a record number that two persons share: whose they are cannot be told.
-- one row per such answer
select
    assessments._row_id,
    shared.observed
from staging.assessments as assessments
inner join audit.shared_record_numbers as shared on assessments.patient_id = shared.patient_id
