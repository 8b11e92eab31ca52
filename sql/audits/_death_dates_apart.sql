-- Statements of a death beside the one that holds, with the days between them: 0 where their intervals touch; and
-- whether that is more than dates of one death may be apart. A household register is late by nature and a day that
-- cannot be is another finding: neither is compared.
-- one row per statement of death and record number
with tolerances as (
    select max(value) filter (where item = 'death_agreement_days') as agreement
    from rules.definitions
    where definition = 'tolerances'
),

statements as (
    select * from audit.death_statements
    where impossible is null and source <> 'household_register'
),

deaths as (
    select * from audit.death_by_hierarchy
    where source <> 'household_register'
)

select
    statements.patient_id,
    statements.table_name,
    statements.statement_row_id,
    statements.source,
    statements.died_to,
    deaths.source as held_source,
    deaths.died_from as held_from,
    deaths.died_to as held_to,
    greatest(
        date_diff('day', statements.died_to, deaths.died_from),
        date_diff('day', deaths.died_to, statements.died_from),
        0
    ) as days_apart,
    days_apart > tolerances.agreement as is_another_day,
    concat(
        'death on ',
        statements.died_to,
        ' by ',
        replace(statements.source, '_', ' '),
        ', on ',
        deaths.died_to,
        ' by ',
        replace(deaths.source, '_', ' ')
    ) as observed
from statements
inner join deaths on statements.patient_id = deaths.patient_id
cross join tolerances
