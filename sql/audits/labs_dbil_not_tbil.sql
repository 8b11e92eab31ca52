-- Direct bilirubin that repeats the total of its tube as text although the tube has indirect bilirubin.
-- one row per violating direct bilirubin
with results as (
    select
        labs._row_id,
        labs.specimen_id,
        labs.value,
        labs.value_text,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where
        loincs.analyte in ('bilirubin_total', 'bilirubin_direct', 'bilirubin_indirect')
        and labs.operator = '='
        and labs.specimen_id is not null
        and labs.specimen not in ('urine', 'ascites')
),

tubes as (
    select
        specimen_id,
        max(_row_id) filter (where analyte = 'bilirubin_direct') as direct_row,
        max(value) filter (where analyte = 'bilirubin_direct') as direct,
        max(value) filter (where analyte = 'bilirubin_total') as total,
        max(value) filter (where analyte = 'bilirubin_indirect') as indirect,
        max(value_text) filter (where analyte = 'bilirubin_direct') as direct_text,
        max(value_text) filter (where analyte = 'bilirubin_total') as total_text
    from results
    group by specimen_id
),

balance as (
    select max(value) filter (where item = 'indirect_share_min') as indirect_share_min
    from rules.definitions
    where definition = 'bilirubin_balance'
)

select
    tubes.direct_row as _row_id,
    concat('direct ', tubes.direct_text, ', total ', tubes.total_text, ', indirect ', tubes.indirect) as observed
from tubes
cross join balance
where tubes.direct_text = tubes.total_text and tubes.indirect > tubes.total * balance.indirect_share_min
