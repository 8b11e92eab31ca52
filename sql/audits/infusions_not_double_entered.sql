-- Ledger lines that repeat batch, ordinal and cells of a line up to a few days earlier; the later line is listed.
-- one row per violating infusion
with gap as (
    select cast(value as integer) as days
    from rules.definitions
    where definition = 'infusion_checks' and item = 'double_days'
)

select
    later._row_id,
    concat('batch ', later.batch_no, ' entered on ', earlier.infused_on, ' and ', later.infused_on) as observed
from staging.infusions as later
inner join staging.infusions as earlier
    on
        later.patient_id = earlier.patient_id
        and later.batch_no = earlier.batch_no
        and later.infusion_no = earlier.infusion_no
        and later.cells_infused_1e6 is not distinct from earlier.cells_infused_1e6
        and (later.infused_on, later._row_id) > (earlier.infused_on, earlier._row_id)
cross join gap
where later.infused_on <= earlier.infused_on + gap.days
