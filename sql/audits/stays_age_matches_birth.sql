-- Stated ages that no day of the stated birth month can give, by more than a year.
-- one row per violating stay
with births as (
    select
        row_raw(_row_id) as raw_id,
        birth_month
    from staging.patients
),

ages as (
    select
        stays._row_id,
        stays.age_years_stated,
        date_sub('year', last_day(births.birth_month), cast(stays.admitted_at as date)) as youngest,
        date_sub('year', births.birth_month, cast(stays.admitted_at as date)) as oldest
    from staging.stays as stays
    inner join births on row_raw(stays._row_id) = births.raw_id
)

select
    ages._row_id,
    concat('stated ', ages.age_years_stated, ', by dates ', ages.youngest, ' to ', ages.oldest) as observed
from ages
inner join rules.definitions as allowed
    on allowed.definition = 'stay_checks' and allowed.item = 'age_difference_max_years'
where
    ages.age_years_stated < ages.youngest - allowed.value
    or ages.age_years_stated > ages.oldest + allowed.value
