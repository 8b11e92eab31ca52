-- Viability outside what a released batch can have.
-- one row per violating infusion
select
    infusions._row_id,
    concat('viability ', infusions.viability_pct, ' %') as observed
from staging.infusions as infusions
inner join rules.definitions as low on low.definition = 'infusion_checks' and low.item = 'viability_min_pct'
inner join rules.definitions as high on high.definition = 'infusion_checks' and high.item = 'viability_max_pct'
where infusions.viability_pct not between low.value and high.value
