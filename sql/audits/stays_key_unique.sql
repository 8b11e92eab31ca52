-- Two different front pages under one record number and ordinal; neither is known to be the right one.
-- one row per violating stay
select
    _row_id,
    concat('stay ', stay_no, ' from ', admitted_at) as observed
from staging.stays
qualify count(*) over (partition by patient_id, stay_id) > 1
