-- Tubes whose albumin and globulin do not make their total protein.
-- one row per total protein, albumin and globulin of such a tube
with balance as (
    select max(value) filter (where item = 'difference_max_g_l') as difference_max
    from rules.definitions
    where definition = 'protein_balance'
)

select
    unnest([tubes.protein_row, tubes.albumin_row, tubes.globulin_row]) as _row_id,
    concat('total protein ', tubes.protein, ', albumin ', tubes.albumin, ', globulin ', tubes.globulin, ' g/L')
        as observed
from audit.lab_tubes as tubes
cross join balance
where abs(tubes.protein - tubes.albumin - tubes.globulin) > balance.difference_max
