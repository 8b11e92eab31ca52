-- Weights on the ward in jin, half-kilograms: twice what the patient's other weights of the time say, most of them.
-- one row per such weight
select
    _row_id,
    observed,
    column_name,
    became,
    evidence,
    confidence
from audit.weights_in_jin
where table_name = 'vitals'
