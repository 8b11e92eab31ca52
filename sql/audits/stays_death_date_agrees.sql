-- Front pages of stays that ended in death whose day is not that of the source that holds, further apart than dates of
-- one death may be.
-- one row per violating front page
select distinct
    statement_row_id as _row_id,
    observed
from audit.death_dates_apart
where table_name = 'stays' and is_another_day
