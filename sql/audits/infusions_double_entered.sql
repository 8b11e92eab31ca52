-- Infusions entered again: same patient, batch, ordinal and cells as an earlier line, within days.
-- one row per later line
with tolerances as (
    select max(value) filter (where item = 'double_entry_days') as double_entry_days
    from rules.definitions
    where definition = 'tolerances'
),

lines as (
    select
        _row_id,
        infused_on,
        lag(infused_on) over (
            partition by patient_id, batch_no, infusion_no, cells_infused_1e6 order by infused_on, _row_id
        ) as infused_before_on
    from staging.infusions
    where infused_on is not null and batch_no is not null and infusion_no is not null
)

select
    lines._row_id,
    concat('entered on ', lines.infused_before_on, ' already') as observed
from lines
cross join tolerances
where date_diff('day', lines.infused_before_on, lines.infused_on) <= tolerances.double_entry_days
