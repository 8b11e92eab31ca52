-- Pregnancy or lactation among the conditions that an assessment of a man lists. The sex encoded in a valid identity
-- number stands before the stated one.
-- one row per such answer
with men as (
    select patient_id
    from audit.record_numbers
    where sex = 'male'
)

select
    assessments._row_id,
    concat(assessments.value_code, ' of a man') as observed
from staging.assessments as assessments
inner join men on assessments.patient_id = men.patient_id
where assessments.item = 'comorbidity' and assessments.value_code in ('pregnancy', 'lactation')
