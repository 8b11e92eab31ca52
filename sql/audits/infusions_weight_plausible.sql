-- Body weights outside what an adult weighs in kg.
-- one row per violating infusion
select
    infusions._row_id,
    concat('weight ', infusions.weight_kg, ' kg') as observed
from staging.infusions as infusions
inner join rules.definitions as low on low.definition = 'infusion_checks' and low.item = 'weight_min_kg'
inner join rules.definitions as high on high.definition = 'infusion_checks' and high.item = 'weight_max_kg'
where infusions.weight_kg not between low.value and high.value
