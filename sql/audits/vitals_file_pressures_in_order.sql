-- Systolic pressures below the diastolic one of the same time, in files where most are: exchanged columns.
-- one row per such systolic pressure
with panels as (
    select max(value) filter (where item = 'swapped_file_share') as file_share
    from rules.definitions
    where definition = 'panels'
),

pressures as (
    select
        max(_row_id) filter (where item = 'sbp') as _row_id,
        row_file(row_raw(_row_id)) as file_id,
        max(value) filter (where item = 'sbp') < max(value) filter (where item = 'dbp') as is_reversed
    from staging.vitals
    where item in ('sbp', 'dbp') and row_raw(_row_id) <> _row_id
    group by row_raw(_row_id)
),

files as (
    select
        file_id,
        avg(cast(is_reversed as integer)) as reversed_share
    from pressures
    group by file_id
)

select
    pressures._row_id,
    'below the diastolic pressure, as in most of the file' as observed
from pressures
inner join files on pressures.file_id = files.file_id
cross join panels
where pressures.is_reversed and files.reversed_share > panels.file_share
