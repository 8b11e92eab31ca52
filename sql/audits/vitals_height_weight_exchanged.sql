-- A height and a weight of one time in each other's place: each becomes the other.
-- one row per height and one per weight of such a pair
with exchanged as (
    select * from audit.body_sizes
    where is_exchanged
)

select
    exchanged._row_id,
    concat('height ', exchanged.height_written, ', weight ', exchanged.weight_written) as observed,
    'value' as column_name,
    cast(exchanged.height_written as varchar) as became,
    'The height can only be a weight and the weight of the same time only a height.' as evidence,
    'strong' as confidence
from exchanged
union all
select
    exchanged.height_row_id as _row_id,
    concat('height ', exchanged.height_written, ', weight ', exchanged.weight_written) as observed,
    'value' as column_name,
    cast(exchanged.weight_written as varchar) as became,
    'The height can only be a weight and the weight of the same time only a height.' as evidence,
    'strong' as confidence
from exchanged
