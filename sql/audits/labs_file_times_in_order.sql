-- Results reported before they were collected, in files where most are: the columns were exchanged in the whole file.
-- one row per such result
with panels as (
    select max(value) filter (where item = 'swapped_file_share') as file_share
    from rules.definitions
    where definition = 'panels'
),

results as (
    select
        _row_id,
        row_file(_row_id) as file_id,
        reported_at < collected_at as is_reversed
    from staging.labs
    where reported_at is not null and collected_at is not null
),

files as (
    select
        file_id,
        avg(cast(is_reversed as integer)) as reversed_share
    from results
    group by file_id
)

select
    results._row_id,
    'reported before collected, as in most of the file' as observed
from results
inner join files on results.file_id = files.file_id
cross join panels
where results.is_reversed and files.reversed_share > panels.file_share
