-- Procedures of front pages whose stay or patient cannot be believed: the row is set aside whole.
-- one row per such procedure
select
    procedures._row_id,
    min(pages.observed) as observed
from staging.procedures as procedures
inner join audit.front_pages_set_aside as pages on row_raw(procedures._row_id) = pages.raw_id
group by procedures._row_id
