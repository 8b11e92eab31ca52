-- Infusions entered again: same patient, batch, ordinal and cells as an earlier line, within days. The later line gets
-- the earlier day and a mark by which it is set aside as the second line of one infusion.
-- one row per mended column of a later line
with tolerances as (
    select max(value) filter (where item = 'double_entry_days') as double_entry_days
    from rules.definitions
    where definition = 'tolerances'
),

lines as (
    select * from staging.infusions
    where infused_on is not null and batch_no is not null and infusion_no is not null
),

repeated as (
    select
        later._row_id,
        later.infused_on,
        later.receipt,
        min(earlier.infused_on) as first_infused_on
    from lines as later
    cross join tolerances
    inner join lines as earlier
        on
            later.patient_id = earlier.patient_id
            and later.batch_no = earlier.batch_no
            and later.infusion_no = earlier.infusion_no
            and later.cells_infused_1e6 is not distinct from earlier.cells_infused_1e6
            and (earlier.infused_on, earlier._row_id) < (later.infused_on, later._row_id)
    where date_diff('day', earlier.infused_on, later.infused_on) <= tolerances.double_entry_days
    group by later._row_id, later.infused_on, later.receipt
)

select
    _row_id,
    concat('entered on ', first_infused_on, ' already') as observed,
    'receipt' as column_name,
    concat_ws(',', receipt, 'entered_again') as became,
    'Batch, ordinal and cells are those of an earlier line of the same patient.' as evidence,
    'strong' as confidence
from repeated
union all
select
    _row_id,
    concat('entered on ', first_infused_on, ' already') as observed,
    'infused_on' as column_name,
    cast(first_infused_on as varchar) as became,
    'Batch, ordinal and cells are those of an earlier line of the same patient.' as evidence,
    'strong' as confidence
from repeated
where infused_on > first_infused_on
