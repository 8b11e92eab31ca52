-- Weights beyond what the patient's height makes possible: jin, half-kilograms, that no other weight confirms.
-- one row per such weight
select
    _row_id,
    observed
from audit.weights_beyond_height
where table_name = 'infusions'
