-- Direct and total bilirubin of one tube of which the direct is the higher, beyond rounding; both in one unit.
-- one row per direct bilirubin and one per total bilirubin of such a tube
with balance as (
    select
        max(value) filter (where item = 'direct_to_total_max') as direct_to_total_max,
        max(value) filter (where item = 'rounding') as rounding
    from rules.definitions
    where definition = 'bilirubin_balance'
),

results as (
    select
        labs._row_id,
        labs.specimen_id,
        loincs.analyte,
        labs.value * units.factor as value
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    inner join rules.analyte_units as units on loincs.analyte = units.analyte and labs.unit = units.unit
    where
        loincs.analyte in ('bilirubin_total', 'bilirubin_direct')
        and labs.operator = '='
        and labs.specimen_id is not null
        and labs.specimen not in ('urine', 'ascites')
),

tubes as (
    select
        specimen_id,
        max(_row_id) filter (where analyte = 'bilirubin_direct') as direct_row,
        max(_row_id) filter (where analyte = 'bilirubin_total') as total_row,
        max(value) filter (where analyte = 'bilirubin_direct') as direct,
        max(value) filter (where analyte = 'bilirubin_total') as total
    from results
    group by specimen_id
),

violating as (
    select
        tubes.direct_row,
        tubes.total_row,
        concat('direct ', tubes.direct, ' above total ', tubes.total) as observed
    from tubes
    cross join balance
    where tubes.direct > tubes.total * balance.direct_to_total_max + balance.rounding
)

select
    direct_row as _row_id,
    observed
from violating
union all
select
    total_row as _row_id,
    observed
from violating
