-- Front pages of a record number under which two valid identity numbers stand.
-- one row per front page of such a record number
with pages as (
    select
        _row_id,
        patient_id,
        if(national_id_valid, national_id, null) as national_id
    from staging.patients
),

shared as (
    select
        patient_id,
        count(distinct national_id) as persons
    from pages
    group by patient_id
    having count(distinct national_id) > 1
)

select
    pages._row_id,
    concat(shared.persons, ' identity numbers under one record number') as observed
from pages
inner join shared on pages.patient_id = shared.patient_id
