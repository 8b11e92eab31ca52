-- Signs measured a day or more after the recorded death.
-- one row per violating sign
select
    vitals._row_id,
    concat(
        'on ',
        cast(vitals.measured_at as date),
        ', death on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from staging.vitals as vitals
inner join audit.death_by_hierarchy as deaths on vitals.patient_id = deaths.patient_id
where cast(vitals.measured_at as date) > deaths.dead_after
