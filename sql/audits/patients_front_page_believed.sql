-- Patients of front pages whose stay cannot be believed: the row is set aside whole.
-- one row per such patient
select
    patients._row_id,
    pages.observed
from staging.patients as patients
inner join audit.front_pages_set_aside as pages
    on row_raw(patients._row_id) = pages.raw_id and pages.table_name <> 'patients'
