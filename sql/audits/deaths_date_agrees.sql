-- Notices with another day of death than the source that holds, further apart than dates of one death may be.
-- one row per violating notice
select distinct
    statement_row_id as _row_id,
    observed
from audit.death_dates_apart
where table_name = 'deaths' and is_another_day
