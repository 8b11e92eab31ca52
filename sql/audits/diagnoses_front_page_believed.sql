-- Diagnoses of front pages whose stay or patient cannot be believed: the row is set aside whole.
-- one row per such diagnosis
select
    diagnoses._row_id,
    min(pages.observed) as observed
from staging.diagnoses as diagnoses
inner join audit.front_pages_set_aside as pages on row_raw(diagnoses._row_id) = pages.raw_id
group by diagnoses._row_id
