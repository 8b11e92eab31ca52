-- Executed orders of cells that no line of the ledger stands beside. When the ledger has as many lines of the patient
-- that fit no stay, or whose day cannot be read, the orders are theirs.
-- one row per such order
select
    _row_id,
    concat('cells ordered and executed on ', executed_on, ', no line of the ledger within a day') as observed
from audit.lone_orders
where days_alone > strays
