-- Notices of death under a record number that two persons share: whose they are cannot be told.
-- one row per such notice
select
    deaths._row_id,
    shared.observed
from staging.deaths as deaths
inner join audit.shared_record_numbers as shared on deaths.patient_id = shared.patient_id
