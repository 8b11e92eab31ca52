-- Stays of front pages whose patient cannot be believed: the row is set aside whole.
-- one row per such stay
select
    stays._row_id,
    pages.observed
from staging.stays as stays
inner join audit.front_pages_set_aside as pages
    on row_raw(stays._row_id) = pages.raw_id and pages.table_name <> 'stays'
