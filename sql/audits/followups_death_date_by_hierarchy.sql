-- Calls with a day of death a few days beside that of a higher source, whose day holds.
-- one row per repaired cell
select
    _row_id,
    observed,
    column_name,
    became,
    evidence,
    confidence
from audit.death_dates_put_right
where table_name = 'followups'
