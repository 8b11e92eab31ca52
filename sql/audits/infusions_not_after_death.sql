-- Infusions given a day or more after the recorded death.
-- one row per violating infusion
select
    infusions._row_id,
    concat(
        'on ',
        cast(infusions.infused_on as date),
        ', death on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from staging.infusions as infusions
inner join audit.death_by_hierarchy as deaths on infusions.patient_id = deaths.patient_id
where cast(infusions.infused_on as date) > deaths.dead_after
