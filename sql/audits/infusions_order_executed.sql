-- Infusions of the ledger without an executed order of cells on the day or the day beside it. A line in no stay, or
-- whose day cannot be read, is told only when no executed order of the patient is left that could be its.
-- one row per such line
with lone as (
    select distinct patient_id
    from audit.lone_orders
)

select
    lines._row_id,
    coalesce(
        'on ' || lines.infused_on || ', no executed order of cells on that day or beside it',
        'on an unknown day, no executed order of cells that could be its'
    ) as observed
from audit.infusion_lines as lines
left join lone on lines.patient_id = lone.patient_id
where not lines.is_ordered and (lines.is_in_stay or lone.patient_id is null)
