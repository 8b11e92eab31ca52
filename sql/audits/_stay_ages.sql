-- Age on admission, stated and by dates. A valid identity number is the better birth month. Of the birth date only the
-- month is known, so the age by dates lies between that of one born on its last day and on its first; `off_by` is how
-- far the stated age lies outside.
-- one row per stay with a stated age and a birth month
with births as (
    select
        patient_id,
        stay_id,
        max(coalesce(case when national_id_valid then national_id_birth_month end, birth_month)) as birth_month
    from staging.patients
    group by patient_id, stay_id
),

aged as (
    select
        stays._row_id,
        stays.age_years_stated,
        date_sub('year', last_day(births.birth_month), cast(stays.admitted_at as date)) as youngest,
        date_sub('year', births.birth_month, cast(stays.admitted_at as date)) as oldest
    from staging.stays as stays
    inner join births on stays.patient_id = births.patient_id and stays.stay_id = births.stay_id
    where stays.age_years_stated is not null and births.birth_month is not null and stays.admitted_at is not null
)

select
    *,
    greatest(age_years_stated - oldest, youngest - age_years_stated, 0) as off_by
from aged
