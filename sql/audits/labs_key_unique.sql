-- Items of a tube with different results in one report.
-- one row per violating result
select
    _row_id,
    concat(value_text, ' ', unit_text, ', one of several') as observed
from staging.labs
where specimen_id is not null
window key as (partition by specimen_id, source_code, source_name, reported_at)
qualify
    count(*) over key > 1
    and (
        min(value_text) over key <> max(value_text) over key
        or min(unit_text) over key <> max(unit_text) over key
        or count(value_text) over key <> count(*) over key
    )
