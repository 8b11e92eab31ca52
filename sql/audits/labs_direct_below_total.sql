-- Direct and total bilirubin of one tube of which the direct is the higher, beyond rounding; both in one unit.
-- one row per direct bilirubin and one per total bilirubin of such a tube
with balance as (
    select
        max(value) filter (where item = 'direct_to_total_max') as direct_to_total_max,
        max(value) filter (where item = 'rounding') as rounding
    from rules.definitions
    where definition = 'bilirubin_balance'
)

select
    unnest([tubes.direct_row, tubes.total_row]) as _row_id,
    concat('direct ', tubes.direct, ' above total ', tubes.total) as observed
from audit.lab_tubes as tubes
cross join balance
where tubes.direct > tubes.total * balance.direct_to_total_max + balance.rounding
