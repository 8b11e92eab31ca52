-- Heights and weights of one admission row that were exchanged: the weight in kg exceeds the height in cm.
-- one row per violating sign
with bodies as (
    select
        row_raw(_row_id) as raw_id,
        max(value) filter (where item = 'height') as height,
        max(value) filter (where item = 'weight') as weight
    from staging.vitals
    where item in ('height', 'weight')
    group by row_raw(_row_id)
)

select
    vitals._row_id,
    concat('height ', bodies.height, ', weight ', bodies.weight) as observed
from staging.vitals as vitals
inner join bodies on row_raw(vitals._row_id) = bodies.raw_id
where vitals.item in ('height', 'weight') and bodies.weight > bodies.height
