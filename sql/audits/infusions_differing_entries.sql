-- Infusions of one patient within days of each other, both inside a stay, that differ in batch, ordinal or cells: one
-- infusion written twice, or two that nobody gives so close together.
-- one row per line of such a pair
with tolerances as (
    select max(value) filter (where item = 'double_entry_days') as double_entry_days
    from rules.definitions
    where definition = 'tolerances'
),

lines as (
    select * from audit.infusion_lines
    where is_in_stay
)

select distinct
    lines._row_id,
    concat_ws(
        ', ',
        concat('on ', lines.infused_on),
        concat('batch ', lines.batch_no),
        concat('number ', lines.infusion_no),
        concat(lines.cells_infused_1e6, ' million cells'),
        'another line within days'
    ) as observed
from lines
cross join tolerances
inner join lines as others
    on lines.patient_id = others.patient_id and lines._row_id <> others._row_id
where abs(date_diff('day', lines.infused_on, others.infused_on)) <= tolerances.double_entry_days
