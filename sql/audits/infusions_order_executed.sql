-- Infusions of the ledger inside a stay without an executed order of cells on the day or the day beside it.
-- one row per such line
select
    _row_id,
    concat('on ', infused_on, ', no executed order of cells on that day or beside it') as observed
from audit.infusion_lines
where is_in_stay and not is_ordered
