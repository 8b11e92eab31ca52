-- Assessments whose name lost a character on its way; one of the answers stands for the assessment.
-- one row per such assessment
select
    min(assessments._row_id) as _row_id,
    'a character of the name was lost' as observed
from staging.assessments as assessments
inner join audit.damaged_names as damaged on row_raw(assessments._row_id) = damaged.raw_id
group by damaged.raw_id
