-- Cells written in ten thousands under a header of millions: the dose per kilogram lies above what is given, and a
-- hundredth of it within. The cells counted are mended with the cells infused when they are in the same unit.
-- one row per mended figure
with doses as (
    select
        max(value) filter (where item = 'low_1e6_per_kg') as low,
        max(value) filter (where item = 'high_1e6_per_kg') as high,
        max(value) filter (where item = 'wan_per_million') as wan_per_million,
        max(value) filter (where item = 'counted_to_infused_max') as counted_to_infused_max
    from rules.definitions
    where definition = 'cell_dose'
),

sizes as (
    select
        _row_id,
        table_name,
        patient_id,
        weight_believed
    from audit.body_sizes
),

usual as (
    select
        patient_id,
        median(weight_believed) as weight
    from sizes
    group by patient_id
),

lines as (
    select
        infusions._row_id,
        infusions.cells_counted_1e6 as counted,
        infusions.cells_infused_1e6 as infused,
        coalesce(sizes.weight_believed, usual.weight) as weight
    from staging.infusions as infusions
    left join sizes on infusions._row_id = sizes._row_id and sizes.table_name = 'infusions'
    left join usual on infusions.patient_id = usual.patient_id
),

judged as (
    select
        lines.*,
        doses.wan_per_million,
        concat(
            'dose of ',
            round(lines.infused / lines.weight, 1),
            ' million cells per kg, a hundredth of it ',
            round(lines.infused / doses.wan_per_million / lines.weight, 1)
        ) as observed,
        lines.counted between lines.infused / doses.counted_to_infused_max
        and lines.infused * doses.counted_to_infused_max as is_one_unit
    from lines
    cross join doses
    where
        lines.infused > doses.high * lines.weight
        and lines.infused / doses.wan_per_million
        between doses.low * lines.weight and doses.high * lines.weight
)

select
    _row_id,
    observed,
    'cells_infused_1e6' as column_name,
    cast(infused / wan_per_million as varchar) as became,
    concat(
        'No dose is so high, and in ten thousands it is a usual one',
        if(is_one_unit, '; the cells counted are in the same unit', ''),
        '.'
    ) as evidence,
    'strong' as confidence
from judged
union all
select
    _row_id,
    observed,
    'cells_counted_1e6' as column_name,
    cast(counted / wan_per_million as varchar) as became,
    'The cells counted are in the unit of the cells infused, which is mended.' as evidence,
    'strong' as confidence
from judged
where is_one_unit
