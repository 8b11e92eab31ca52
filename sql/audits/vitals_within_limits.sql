-- Signs outside what a living adult can have. A height and a weight in each other's place are put right before.
-- one row per violating sign
with limits as (
    select
        item,
        max(value) filter (where definition = 'vital_low') as low,
        max(value) filter (where definition = 'vital_high') as high
    from rules.definitions
    where definition in ('vital_low', 'vital_high')
    group by item
)

select
    vitals._row_id,
    concat(vitals.item, ' ', vitals.value, ', limits ', limits.low, ' to ', limits.high) as observed
from staging.vitals as vitals
inner join limits on vitals.item = limits.item
where vitals.value < limits.low or vitals.value > limits.high
