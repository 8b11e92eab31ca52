-- Direct bilirubin above total bilirubin of the same tube by more than measurement error, both in one unit.
-- one row per violating result
with bilirubins as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        labs.unit,
        labs.value,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('bilirubin_total', 'bilirubin_direct') and labs.operator = '='
),

ratio as (
    select value from rules.definitions
    where definition = 'lab_checks' and item = 'direct_over_total_max'
)

select
    direct._row_id,
    concat('direct ', direct.value, ' of total ', total.value, ' ', total.unit) as observed
from bilirubins as direct
inner join bilirubins as total
    on
        direct.specimen_id = total.specimen_id
        and direct.patient_id = total.patient_id
        and direct.unit = total.unit
        and total.analyte = 'bilirubin_total'
cross join ratio
where direct.analyte = 'bilirubin_direct' and direct.value > total.value * ratio.value
