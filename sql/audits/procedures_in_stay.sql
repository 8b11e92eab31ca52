-- Procedures started too long before or after the stay they are booked on.
-- one row per violating row
select
    procedures._row_id,
    concat(
        'on ', procedures.started_at, ', stay with tolerance from ', stays.opens_at, ' to ', stays.closes_at
    ) as observed
from staging.procedures as procedures
inner join audit.stay_spans as stays on procedures.stay_id = stays.stay_id
where procedures.started_at < stays.opens_at or procedures.started_at >= stays.closes_at
