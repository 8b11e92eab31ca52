-- Specimens collected too long before or after the stay they are booked on.
-- one row per violating row
select
    _row_id,
    concat('collected ', happened_at, ', stay with tolerance from ', opens_at, ' to ', closes_at) as observed
from audit.events_outside_stay
where table_name = 'labs'
