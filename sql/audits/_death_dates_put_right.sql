-- Statements with a day of death a few days beside that of a higher source, whose day holds.
-- one row per repaired cell
with beside as (
    select distinct
        table_name,
        statement_row_id,
        observed,
        held_from,
        held_to,
        held_source
    from audit.death_dates_apart
    where days_apart > 0 and not is_another_day
)

select
    beside.table_name,
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
