-- Answers of one assessment to one question that differ; questions answered with a list are not asked.
-- one row per violating answer
select
    _row_id,
    concat(item, ' ', coalesce(value_code, cast(value as varchar)), ', one of several') as observed
from staging.assessments
where assessment_id is not null and item not in ('infection_site', 'comorbidity')
window key as (partition by assessment_id, item)
qualify min(value_text) over key <> max(value_text) over key
