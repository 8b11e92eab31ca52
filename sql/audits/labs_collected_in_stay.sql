-- Specimens collected too long before or after the stay they are booked on.
-- one row per violating row
select
    labs._row_id,
    concat(
        'collected ', labs.collected_at, ', stay with tolerance from ', stays.opens_at, ' to ', stays.closes_at
    ) as observed
from staging.labs as labs
inner join audit.stay_spans as stays on labs.stay_id = stays.stay_id
where labs.collected_at < stays.opens_at or labs.collected_at >= stays.closes_at
