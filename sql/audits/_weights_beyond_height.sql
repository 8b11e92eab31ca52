-- Weights beyond what the patient's height makes possible: jin, half-kilograms, that no other weight confirms.
-- one row per such weight
with bodies as (
    select
        max(value) filter (where item = 'bmi_max') as bmi_max,
        max(value) filter (where item = 'cm_per_m') as cm_per_m
    from rules.definitions
    where definition = 'body_mass'
)

select
    sizes.table_name,
    sizes._row_id,
    concat('weight ', sizes.weight, ' at a height of ', sizes.height_known) as observed
from audit.body_sizes as sizes
cross join bodies
where sizes.weight * bodies.cm_per_m * bodies.cm_per_m > bodies.bmi_max * sizes.height_known * sizes.height_known
