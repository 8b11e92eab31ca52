-- Stays whose stated age and age by dates lie years apart, the one a minor's and the other an adult's.
-- one row per violating stay
with figures as (
    select
        max(value) filter (where definition = 'tolerances' and item = 'age_years') as age_years,
        max(value) filter (where definition = 'identity' and item = 'age_of_majority') as age_of_majority
    from rules.definitions
    where definition in ('tolerances', 'identity')
)

select
    ages._row_id,
    concat('stated ', ages.age_years_stated, ', by dates ', ages.oldest) as observed
from audit.stay_ages as ages
inner join staging.stays as stays on ages._row_id = stays._row_id
cross join figures
where
    ages.off_by >= figures.age_years
    and (ages.age_years_stated < figures.age_of_majority) <> (ages.oldest < figures.age_of_majority)
