-- Tubes whose direct and indirect bilirubin do not make their total bilirubin, beyond rounding.
-- one row per bilirubin of such a tube
with balance as (
    select
        max(value) filter (where item = 'difference_max') as difference_max,
        max(value) filter (where item = 'rounding') as rounding
    from rules.definitions
    where definition = 'bilirubin_balance'
)

select
    unnest([tubes.total_row, tubes.direct_row, tubes.indirect_row]) as _row_id,
    concat(
        'total ', round(tubes.total, 1), ', direct ', round(tubes.direct, 1), ', indirect ', round(tubes.indirect, 1),
        ' umol/L'
    ) as observed
from audit.lab_tubes as tubes
cross join balance
where
    abs(tubes.total - tubes.direct - tubes.indirect)
    > greatest(
        balance.difference_max * greatest(tubes.total, tubes.direct + tubes.indirect), balance.rounding
    )
