-- Grades of encephalopathy beyond the scale.
-- one row per violating answer
select
    assessments._row_id,
    concat('grade ', assessments.value) as observed
from staging.assessments as assessments
inner join rules.definitions as highest on highest.definition = 'assessment_checks' and highest.item = 'he_grade_max'
where assessments.item = 'he_grade' and assessments.value not between 0 and highest.value
