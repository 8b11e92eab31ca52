-- Procedures started outside the stay they are booked on, beyond the tolerance, and inside exactly one other stay of
-- the patient: they are booked on that one.
-- one row per row whose stay is put right
select
    _row_id,
    observed,
    column_name,
    became,
    evidence,
    confidence
from audit.stays_put_right
where table_name = 'procedures'
