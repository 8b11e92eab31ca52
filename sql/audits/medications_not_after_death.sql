-- Orders carried out days after the recorded death. What the ward books late is paper, not treatment, so an order has
-- days of grace that a specimen has not.
-- one row per violating order
with tolerances as (
    select to_days(cast(max(value) filter (where item = 'paper_after_death_days') as integer)) as grace
    from rules.definitions
    where definition = 'tolerances'
),

given as (
    select
        _row_id,
        patient_id,
        cast(coalesce(executed_at, started_at) as date) as given_on
    from staging.medications
    where status in ('executed', 'stopped')
)

select
    given._row_id,
    concat('on ', given.given_on, ', death on ', deaths.died_to, ' by ', replace(deaths.source, '_', ' ')) as observed
from given
inner join audit.death_by_hierarchy as deaths on given.patient_id = deaths.patient_id
cross join tolerances
where given.given_on > deaths.dead_after + tolerances.grace
