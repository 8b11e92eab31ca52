-- Bilirubin that falls by half within a day without a session of artificial liver in between: the session left no row,
-- and the value is post_product. A deeper fall than a session makes is another matter: a unit, another person's tube.
-- one row per fallen value
with falls as (
    select
        max(value) filter (where item = 'share_min') as share_min,
        max(value) filter (where item = 'share_max') as share_max,
        max(value) filter (where item = 'hours') as hours
    from rules.definitions
    where definition = 'bilirubin_fall'
),

results as (
    select
        labs._row_id,
        labs.patient_id,
        labs.collected_at,
        labs.value,
        lag(labs.value) over course as value_before,
        lag(labs.collected_at) over course as before_at
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    inner join rules.analytes as analytes on loincs.analyte = analytes.analyte and labs.unit = analytes.unit
    where
        loincs.analyte = 'bilirubin_total'
        and labs.operator = '='
        and labs.value > 0
        and labs.specimen not in ('urine', 'ascites')
        and labs.collected_at is not null
    window course as (partition by labs.patient_id, labs.loinc order by labs.collected_at, labs._row_id)
),

fallen as (
    select results.*
    from results
    cross join falls
    where
        results.value_before - results.value > falls.share_min * results.value_before
        and results.value_before - results.value <= falls.share_max * results.value_before
        and epoch(results.collected_at - results.before_at) < falls.hours * epoch(interval '1 hour')
),

sessions as (
    select
        patient_id,
        started_at
    from staging.procedures
    where category = 'artificial_liver'
)

select
    fallen._row_id,
    concat(
        'post_product: ',
        fallen.value,
        ' after ',
        fallen.value_before,
        ' ',
        date_diff('hour', fallen.before_at, fallen.collected_at),
        ' hours before, no session of artificial liver'
    ) as observed
from fallen
anti join sessions
    on fallen.patient_id = sessions.patient_id and sessions.started_at between fallen.before_at and fallen.collected_at
