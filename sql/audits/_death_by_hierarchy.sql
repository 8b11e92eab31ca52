-- The recorded death: that of the highest source, hospital record, assessment of death, front page, other notices,
-- follow-up, household register; a day that cannot be right does not count. `dead_after` is the last day on which the
-- patient may have been alive: of dates that agree, the latest, so that nothing of a living patient is accused.
-- one row per record number with a death
with tolerances as (
    select to_days(cast(max(value) filter (where item = 'death_agreement_days') as integer)) as agreement
    from rules.definitions
    where definition = 'tolerances'
),

statements as (
    select * from audit.death_statements
    where impossible is null
),

ranked as (
    select
        *,
        row_number() over (partition by patient_id order by source_rank, died_to, statement_row_id) as place
    from statements
),

held as (
    select * from ranked
    where place = 1
),

agreeing as (
    select
        statements.patient_id,
        max(statements.died_to) as dead_after
    from statements
    inner join held on statements.patient_id = held.patient_id
    cross join tolerances
    where statements.died_from <= held.died_to + tolerances.agreement
    group by statements.patient_id
)

select
    held.patient_id,
    held.statement_row_id,
    held.source,
    held.died_from,
    held.died_to,
    agreeing.dead_after
from held
inner join agreeing on held.patient_id = agreeing.patient_id
