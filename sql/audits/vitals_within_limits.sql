-- Signs outside what a living adult can have. A height and a weight in each other's place are left to their own rule.
-- one row per violating sign
with limits as (
    select
        item,
        max(value) filter (where definition = 'vital_low') as low,
        max(value) filter (where definition = 'vital_high') as high
    from rules.definitions
    where definition in ('vital_low', 'vital_high')
    group by item
),

adults as (
    select
        max(value) filter (where item = 'height_min') as height_min,
        max(value) filter (where item = 'height_max') as height_max,
        max(value) filter (where item = 'weight_min') as weight_min,
        max(value) filter (where item = 'weight_max') as weight_max
    from rules.definitions
    where definition = 'height_weight_exchanged'
),

outside as (
    select
        vitals._row_id,
        vitals.patient_id,
        vitals.measured_at,
        vitals.item,
        vitals.value,
        limits.low,
        limits.high
    from staging.vitals as vitals
    inner join limits on vitals.item = limits.item
    where vitals.value < limits.low or vitals.value > limits.high
),

exchanged as (
    select outside._row_id
    from outside
    inner join staging.vitals as weights
        on
            outside.patient_id = weights.patient_id
            and outside.measured_at = weights.measured_at
            and weights.item = 'weight'
    cross join adults
    where
        outside.item = 'height'
        and outside.value between adults.weight_min and adults.weight_max
        and weights.value between adults.height_min and adults.height_max
)

select
    _row_id,
    concat(item, ' ', value, ', limits ', low, ' to ', high) as observed
from outside
where _row_id not in (select exchanged._row_id from exchanged)
