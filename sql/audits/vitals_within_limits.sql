-- Signs outside the limits of the living; each sign is compared in the one unit its limits are stated in.
-- one row per violating sign
with limits as (
    select
        regexp_replace(item, '_min$', '') as item,
        value as low
    from rules.definitions
    where definition = 'vitals_limits' and item like '%\_min' escape '\'
),

tops as (
    select
        regexp_replace(item, '_max$', '') as item,
        value as high
    from rules.definitions
    where definition = 'vitals_limits' and item like '%\_max' escape '\'
)

select
    vitals._row_id,
    concat(vitals.item, ' ', vitals.value, ' ', vitals.unit, ', limits ', limits.low, ' to ', tops.high) as observed
from staging.vitals as vitals
inner join limits on vitals.item = limits.item
inner join tops on vitals.item = tops.item
where vitals.value not between limits.low and tops.high
