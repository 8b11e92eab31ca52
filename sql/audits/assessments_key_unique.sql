-- One assessment number on two current records of the same file that differ.
-- one row per violating answer
with records as (
    select
        assessment_id,
        count(distinct row_raw(_row_id)) as records
    from staging.assessments
    where assessment_id is not null
    group by assessment_id
    having count(distinct row_raw(_row_id)) > 1
)

select
    assessments._row_id,
    concat(assessments.item, ' under a number that stands on ', records.records, ' records') as observed
from staging.assessments as assessments
inner join records on assessments.assessment_id = records.assessment_id
