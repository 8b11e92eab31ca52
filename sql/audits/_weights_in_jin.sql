-- Weights in jin, half-kilograms: twice what the patient's other weights of the time say, most of them.
-- one row per such weight
select
    table_name,
    _row_id,
    concat('weight ', weight, ', elsewhere ', half) as observed,
    if(table_name = 'infusions', 'weight_kg', 'value') as column_name,
    cast(weight_believed as varchar) as became,
    concat(
        halves,
        if(halves = 1, ' other weight of the time is', ' other weights of the time are'),
        ' half of it within the tolerance',
        if(is_half_elsewhere, ', also in the other source', ''),
        '; ',
        equals,
        ' agree with it as written.'
    ) as evidence,
    if(is_half_elsewhere, 'strong', 'moderate') as confidence
from audit.body_sizes
where is_jin
