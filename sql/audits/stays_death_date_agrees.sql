-- Front pages of stays that ended in death whose day is not that of the source that holds, further apart than dates of
-- one death may be.
-- one row per violating front page
with tolerances as (
    select max(value) filter (where item = 'death_agreement_days') as agreement
    from rules.definitions
    where definition = 'tolerances'
)

select distinct
    apart.statement_row_id as _row_id,
    apart.observed
from audit.death_dates_apart as apart
cross join tolerances
where apart.table_name = 'stays' and apart.days_apart > tolerances.agreement
