-- Examinations a day or more after the recorded death.
-- one row per violating report
select
    imaging._row_id,
    concat(
        'on ',
        cast(imaging.examined_at as date),
        ', death on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from staging.imaging as imaging
inner join audit.death_by_hierarchy as deaths on imaging.patient_id = deaths.patient_id
where cast(imaging.examined_at as date) > deaths.dead_after
