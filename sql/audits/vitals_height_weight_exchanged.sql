-- Heights that can only be a weight, beside weights of the same time that can only be a height.
-- one row per height and one per weight of such a pair
with adults as (
    select
        max(value) filter (where item = 'height_min') as height_min,
        max(value) filter (where item = 'height_max') as height_max,
        max(value) filter (where item = 'weight_min') as weight_min,
        max(value) filter (where item = 'weight_max') as weight_max
    from rules.definitions
    where definition = 'height_weight_exchanged'
),

pairs as (
    select
        max(_row_id) filter (where item = 'height') as height_row,
        max(_row_id) filter (where item = 'weight') as weight_row,
        max(value) filter (where item = 'height') as height,
        max(value) filter (where item = 'weight') as weight
    from staging.vitals
    where item in ('height', 'weight')
    group by patient_id, measured_at
),

violating as (
    select
        pairs.height_row,
        pairs.weight_row,
        concat('height ', pairs.height, ', weight ', pairs.weight) as observed
    from pairs
    cross join adults
    where
        pairs.height between adults.weight_min and adults.weight_max
        and pairs.weight between adults.height_min and adults.height_max
)

select
    height_row as _row_id,
    observed
from violating
union all
select
    weight_row as _row_id,
    observed
from violating
