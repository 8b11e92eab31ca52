-- Results of one item, patient and time where the source gives no number of the tube, equal or not.
-- one row per such result
select
    _row_id,
    concat_ws(' ', value_text, unit_text, '- one of', count(*) over key) as observed
from staging.labs
where specimen_id is null
window key as (partition by patient_id, stay_id, collected_at, loinc, specimen)
qualify count(*) over key > 1
