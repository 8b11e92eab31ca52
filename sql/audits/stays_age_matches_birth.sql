-- Stays whose stated age is years off the age by birth month and admission. The day of birth is not kept, so the age by
-- dates can be one year too high in the month of birth. A valid identity number is the better birth month.
-- one row per violating stay
with tolerances as (
    select max(value) filter (where item = 'age_years') as age_years
    from rules.definitions
    where definition = 'tolerances'
),

births as (
    select
        patient_id,
        stay_id,
        max(coalesce(if(national_id_valid, national_id_birth_month, null), birth_month)) as birth_month
    from staging.patients
    group by patient_id, stay_id
),

aged as (
    select
        stays._row_id,
        stays.age_years_stated,
        date_sub('year', cast(births.birth_month as timestamp), stays.admitted_at) as age_years
    from staging.stays as stays
    inner join births on stays.patient_id = births.patient_id and stays.stay_id = births.stay_id
)

select
    aged._row_id,
    concat('stated ', aged.age_years_stated, ', by dates ', aged.age_years) as observed
from aged
cross join tolerances
where abs(aged.age_years_stated - aged.age_years) >= tolerances.age_years
