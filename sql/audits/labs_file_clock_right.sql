-- Results of files most of whose specimens were collected at night: wards draw in the morning, the clock is off. Of a
-- hospital whose other files have hardly a specimen of the night, a few specimens tell it; else it takes more.
-- one row per such result
with clock as (
    select
        max(value) filter (where item = 'night_from_hour') as night_from,
        max(value) filter (where item = 'night_to_hour') as night_to,
        max(value) filter (where item = 'night_file_share') as file_share,
        max(value) filter (where item = 'quiet_share') as quiet_share,
        max(value) filter (where item = 'quiet_specimens_min') as quiet_specimens_min,
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

counted as (
    select
        file_id,
        count(*) as specimens,
        count(*) filter (where at_night) as by_night
    from specimens
    group by file_id
),

beside as (
    select
        *,
        sum(specimens) over () - specimens as other_specimens,
        sum(by_night) over () - by_night as other_by_night
    from counted
),

files as (
    select beside.file_id
    from beside
    cross join clock
    where
        beside.by_night > clock.file_share * beside.specimens
        and (
            beside.specimens >= clock.specimens_min
            or (
                beside.specimens >= clock.quiet_specimens_min
                and beside.other_by_night < clock.quiet_share * beside.other_specimens
            )
        )
)

select
    labs._row_id,
    concat('collected at ', strftime(labs.collected_at, '%H:%M'), ', as most of the file by night') as observed
from staging.labs as labs
inner join files on row_file(labs._row_id) = files.file_id
cross join clock
where hour(labs.collected_at) >= clock.night_from or hour(labs.collected_at) < clock.night_to
