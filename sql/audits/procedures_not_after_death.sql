-- Procedures begun a day or more after the recorded death.
-- one row per violating procedure
select
    procedures._row_id,
    concat(
        'on ',
        cast(procedures.started_at as date),
        ', death on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from staging.procedures as procedures
inner join audit.death_by_hierarchy as deaths on procedures.patient_id = deaths.patient_id
where cast(procedures.started_at as date) > deaths.dead_after
