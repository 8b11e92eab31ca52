-- Answers of assessments made too long before or after the stay they are booked on.
-- one row per violating row
select
    assessments._row_id,
    concat(
        'on ', assessments.assessed_at, ', stay with tolerance from ', stays.opens_at, ' to ', stays.closes_at
    ) as observed
from staging.assessments as assessments
inner join audit.stay_spans as stays on assessments.stay_id = stays.stay_id
where assessments.assessed_at < stays.opens_at or assessments.assessed_at >= stays.closes_at
