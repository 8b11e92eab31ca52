-- Items of a tube with different results in one report. Hashes of the keys find the few suspects first.
-- one row per violating result
with keys as (
    select
        _row_id,
        hash(specimen_id, source_code, source_name, reported_at) as key_hash
    from staging.labs
    where specimen_id is not null
),

repeated as (
    select key_hash
    from keys
    group by key_hash
    having count(*) > 1
),

suspects as (
    select
        labs._row_id,
        labs.specimen_id,
        labs.source_code,
        labs.source_name,
        labs.reported_at,
        labs.value_text,
        labs.unit_text
    from staging.labs as labs
    inner join keys on labs._row_id = keys._row_id
    inner join repeated on keys.key_hash = repeated.key_hash
)

select
    _row_id,
    concat_ws(' ', source_name, value_text, unit_text, '- one of several') as observed
from suspects
window key as (partition by specimen_id, source_code, source_name, reported_at)
qualify
    count(*) over key > 1
    and (
        min(value_text) over key <> max(value_text) over key
        or min(unit_text) over key <> max(unit_text) over key
        or count(value_text) over key <> count(*) over key
    )
