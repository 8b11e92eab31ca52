-- Different results of one item, patient and time where the source gives no number of the tube.
-- one row per violating result
select
    _row_id,
    concat(value_text, ' ', unit_text, ', one of several') as observed
from staging.labs
where specimen_id is null
window key as (partition by patient_id, stay_id, collected_at, loinc, specimen)
qualify min(value_text) over key <> max(value_text) over key
