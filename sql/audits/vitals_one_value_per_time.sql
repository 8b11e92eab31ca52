-- Different values of one sign of a patient at one time.
-- one row per violating sign
select
    _row_id,
    concat(item, ' ', value_text, ', one of several') as observed
from staging.vitals
where measured_at is not null
window key as (partition by patient_id, stay_id, measured_at, item)
qualify min(value_text) over key <> max(value_text) over key
