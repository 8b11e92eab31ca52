-- Statements that the patient is alive, true for a day after the recorded death: of somebody who was reached, or of a
-- register for the day it names.
-- one row per violating call
with statements as (
    select
        _row_id,
        patient_id,
        coalesce(informed_on, case when informant is distinct from 'nobody' then called_on end) as alive_on
    from staging.followups
    where vital_status in ('alive', 'alive_after_transplant') and reached = 'yes'
)

select
    statements._row_id,
    concat(
        'alive on ',
        statements.alive_on,
        ', death on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from statements
inner join audit.death_by_hierarchy as deaths on statements.patient_id = deaths.patient_id
where statements.alive_on > deaths.dead_after
