-- Stays whose stated age is years off the age by birth month and admission.
-- one row per violating stay
with tolerances as (
    select max(value) filter (where item = 'age_years') as age_years
    from rules.definitions
    where definition = 'tolerances'
)

select
    ages._row_id,
    concat('stated ', ages.age_years_stated, ', by dates ', ages.oldest) as observed
from audit.stay_ages as ages
inner join staging.stays as stays on ages._row_id = stays._row_id
cross join tolerances
where ages.off_by >= tolerances.age_years
