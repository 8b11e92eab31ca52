-- Results of files most of whose specimens were collected at night: wards draw in the morning, so the clock is off.
-- one row per such result
with clock as (
    select
        max(value) filter (where item = 'night_from_hour') as night_from,
        max(value) filter (where item = 'night_to_hour') as night_to,
        max(value) filter (where item = 'night_file_share') as file_share,
        max(value) filter (where item = 'specimens_min') as specimens_min
    from rules.definitions
    where definition = 'clock'
),

specimens as (
    select
        row_file(labs._row_id) as file_id,
        bool_or(hour(labs.collected_at) >= clock.night_from or hour(labs.collected_at) < clock.night_to) as at_night
    from staging.labs as labs
    cross join clock
    where labs.collected_at is not null
    group by row_file(labs._row_id), labs.patient_id, labs.collected_at
),

files as (
    select
        specimens.file_id,
        avg(cast(specimens.at_night as integer)) as night_share
    from specimens
    cross join clock
    group by specimens.file_id
    having count(*) >= max(clock.specimens_min) and avg(cast(specimens.at_night as integer)) > max(clock.file_share)
)

select
    labs._row_id,
    concat('collected at ', strftime(labs.collected_at, '%H:%M'), ', as most of the file by night') as observed
from staging.labs as labs
inner join files on row_file(labs._row_id) = files.file_id
cross join clock
where hour(labs.collected_at) >= clock.night_from or hour(labs.collected_at) < clock.night_to
