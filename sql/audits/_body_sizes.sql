-- Body sizes: every weight of the ward and of the cell laboratory's ledger, with the height of the same time. A height
-- and a weight in each other's place are put right here and marked. Beside each weight: how many other weights of the
-- patient, of either source and not long before or after, are half of it, and how many agree with it.
-- one row per weight
with adults as (
    select
        max(value) filter (where item = 'height_min') as height_min,
        max(value) filter (where item = 'height_max') as height_max,
        max(value) filter (where item = 'weight_min') as weight_min,
        max(value) filter (where item = 'weight_max') as weight_max
    from rules.definitions
    where definition = 'height_weight_exchanged'
),

jin as (
    select
        max(value) filter (where item = 'jin_per_kg') as jin_per_kg,
        max(value) filter (where item = 'tolerance') as tolerance,
        max(value) filter (where item = 'days') as days
    from rules.definitions
    where definition = 'weight_in_jin'
),

signs as (
    select
        _row_id,
        patient_id,
        stay_id,
        measured_at,
        item,
        value
    from staging.vitals
    where item in ('height', 'weight') and value > 0
    qualify count(*) over (partition by patient_id, stay_id, measured_at, item) = 1
),

heights as (
    select * from signs
    where item = 'height'
),

ward as (
    select
        weights._row_id,
        'vitals' as table_name,
        weights.patient_id,
        cast(weights.measured_at as date) as sized_on,
        weights.value as weight_written,
        heights._row_id as height_row_id,
        heights.value as height_written,
        coalesce(
            heights.value between adults.weight_min and adults.weight_max
            and weights.value between adults.height_min and adults.height_max,
            false
        ) as is_exchanged
    from signs as weights
    cross join adults
    left join heights
        on
            weights.patient_id = heights.patient_id
            and weights.stay_id is not distinct from heights.stay_id
            and weights.measured_at = heights.measured_at
    where weights.item = 'weight'
),

ledger as (
    select
        _row_id,
        'infusions' as table_name,
        patient_id,
        infused_on as sized_on,
        weight_kg as weight_written,
        null as height_row_id,
        null as height_written,
        false as is_exchanged
    from staging.infusions
    where weight_kg > 0
),

sizes as (
    select
        *,
        if(is_exchanged, height_written, weight_written) as weight,
        if(is_exchanged, weight_written, height_written) as height
    from ward
    union all
    select
        *,
        weight_written as weight,
        height_written as height
    from ledger
),

compared as (
    select
        sizes._row_id,
        count(*) filter (
            where abs(others.weight * jin.jin_per_kg - sizes.weight) <= jin.tolerance * sizes.weight
        ) as halves,
        median(others.weight) filter (
            where abs(others.weight * jin.jin_per_kg - sizes.weight) <= jin.tolerance * sizes.weight
        ) as half,
        bool_or(others.table_name <> sizes.table_name) filter (
            where abs(others.weight * jin.jin_per_kg - sizes.weight) <= jin.tolerance * sizes.weight
        ) as is_half_elsewhere,
        count(*) filter (where abs(others.weight - sizes.weight) <= jin.tolerance * sizes.weight) as equals
    from sizes
    cross join jin
    inner join sizes as others
        on
            sizes.patient_id = others.patient_id
            and sizes._row_id <> others._row_id
            and abs(date_diff('day', sizes.sized_on, others.sized_on)) <= jin.days
    group by sizes._row_id
)

select
    sizes._row_id,
    sizes.table_name,
    sizes.patient_id,
    sizes.sized_on,
    sizes.weight_written,
    sizes.height_written,
    sizes.height_row_id,
    sizes.is_exchanged,
    sizes.weight,
    sizes.height,
    coalesce(compared.halves, 0) as halves,
    coalesce(compared.equals, 0) as equals,
    compared.half,
    coalesce(compared.is_half_elsewhere, false) as is_half_elsewhere,
    median(sizes.height) over (partition by sizes.patient_id) as height_known,
    if(compared.halves > compared.equals, sizes.weight / jin.jin_per_kg, sizes.weight) as weight_believed,
    coalesce(compared.halves > compared.equals, false) as is_jin
from sizes
cross join jin
left join compared on sizes._row_id = compared._row_id
