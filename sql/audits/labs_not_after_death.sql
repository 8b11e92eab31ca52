-- Specimens collected a day or more after the recorded death.
-- one row per violating result
select
    labs._row_id,
    concat(
        'on ',
        cast(labs.collected_at as date),
        ', death on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from staging.labs as labs
inner join audit.death_by_hierarchy as deaths on labs.patient_id = deaths.patient_id
where cast(labs.collected_at as date) > deaths.dead_after
