-- Different current results of one item of one specimen.
-- one row per violating result
select
    _row_id,
    concat(source_code, ' ', value_text, ' reported ', reported_at) as observed
from staging.labs
where specimen_id is not null
qualify
    count(*) over (partition by patient_id, specimen_id, source_code, source_name, reported_at) > 1
