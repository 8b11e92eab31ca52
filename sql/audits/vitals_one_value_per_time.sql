-- Different values of one sign of a patient at one time. Hashes of the keys find the few suspects first.
-- one row per violating sign
with keys as (
    select
        _row_id,
        hash(patient_id, stay_id, measured_at, item) as key_hash
    from staging.vitals
    where measured_at is not null
),

repeated as (
    select key_hash
    from keys
    group by key_hash
    having count(*) > 1
),

suspects as (
    select
        vitals._row_id,
        vitals.patient_id,
        vitals.stay_id,
        vitals.measured_at,
        vitals.item,
        vitals.value_text
    from staging.vitals as vitals
    inner join keys on vitals._row_id = keys._row_id
    inner join repeated on keys.key_hash = repeated.key_hash
)

select
    _row_id,
    concat_ws(' ', item, value_text, '- one of several') as observed
from suspects
window key as (partition by patient_id, stay_id, measured_at, item)
qualify min(value_text) over key <> max(value_text) over key
