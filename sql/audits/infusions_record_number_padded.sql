-- Infusions whose record number is too short, and whose padded number has a front page with the same name: zeros in
-- front were lost in a spreadsheet.
-- one row per such row
select
    infusions._row_id,
    'record number too short' as observed,
    'patient_id' as column_name,
    infusions.padded_patient_id as became,
    'A front page has the number with its leading zeros, and the same name.' as evidence,
    'certain' as confidence
from staging.infusions as infusions
semi join staging.patients as patients
    on infusions.padded_patient_id = patients.patient_id and infusions.name_id = patients.name_id
anti join staging.patients as known on infusions.patient_id = known.patient_id
