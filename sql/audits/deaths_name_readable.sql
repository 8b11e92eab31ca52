-- Notices of death with a name that lost a character on its way.
-- one row per such notice
select
    deaths._row_id,
    'a character of the name was lost' as observed
from staging.deaths as deaths
semi join audit.damaged_names as damaged on row_raw(deaths._row_id) = damaged.raw_id
