-- Notices of death whose record number and identity number no front page has.
-- one row per violating notice
select
    _row_id,
    'no front page' as observed
from staging.deaths
where
    coalesce(patient_id not in (select patients.patient_id from staging.patients as patients), true)
    and coalesce(
        national_id not in (
            select patients.national_id from staging.patients as patients
            where patients.national_id is not null
        ),
        true
    )
