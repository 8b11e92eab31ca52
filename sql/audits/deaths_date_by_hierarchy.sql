-- Notices with a day of death a few days beside that of a higher source, whose day holds.
-- one row per repaired cell
with tolerances as (
    select max(value) filter (where item = 'death_agreement_days') as agreement
    from rules.definitions
    where definition = 'tolerances'
),

beside as (
    select distinct
        apart.statement_row_id,
        apart.observed,
        apart.held_from,
        apart.held_to,
        apart.held_source
    from audit.death_dates_apart as apart
    cross join tolerances
    where apart.table_name = 'deaths' and apart.days_apart > 0 and apart.days_apart <= tolerances.agreement
)

select
    beside.statement_row_id as _row_id,
    beside.observed,
    cells.column_name,
    cells.became,
    concat(
        'Dates so close are one death; ',
        replace(beside.held_source, '_', ' '),
        ' stands above the source of this row and says ',
        beside.held_to
    ) as evidence,
    'strong' as confidence
from beside
cross join
    lateral (
        values
        ('died_from', cast(beside.held_from as varchar)),
        ('died_to', cast(beside.held_to as varchar)),
        ('died_precision', 'day')
    ) as cells (column_name, became)
