-- Counts of neutrophils and lymphocytes that exceed the white cells of their tube, or repeat the figure of their
-- percentage where that fits no count.
-- one row per violating count
with checks as (
    select
        max(value) filter (where item = 'part_to_whole_max') as part_to_whole_max,
        max(value) filter (where item = 'percent_is_count_at') as percent_is_count_at
    from rules.definitions
    where definition = 'blood_count'
),

results as (
    select
        labs._row_id,
        labs.specimen_id,
        labs.value,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where
        loincs.analyte in ('wbc', 'neutrophils', 'neutrophils_pct', 'lymphocytes', 'lymphocytes_pct')
        and labs.operator = '='
        and labs.specimen_id is not null
        and labs.specimen not in ('urine', 'ascites')
),

tubes as (
    select
        specimen_id,
        max(value) filter (where analyte = 'wbc') as wbc,
        max(value) filter (where analyte = 'neutrophils_pct') as neutrophils_pct,
        max(value) filter (where analyte = 'lymphocytes_pct') as lymphocytes_pct
    from results
    group by specimen_id
),

counts as (
    select
        results._row_id,
        results.analyte,
        results.value,
        tubes.wbc,
        if(results.analyte = 'neutrophils', tubes.neutrophils_pct, tubes.lymphocytes_pct) as percentage
    from results
    inner join tubes on results.specimen_id = tubes.specimen_id
    where results.analyte in ('neutrophils', 'lymphocytes')
)

select
    counts._row_id,
    concat(counts.analyte, ' ', counts.value, ' of ', counts.wbc, ' white cells, ', counts.percentage, ' %') as observed
from counts
cross join checks
where
    counts.value > counts.wbc * checks.part_to_whole_max
    or (
        counts.value > 0
        and counts.value = counts.percentage
        and coalesce(counts.wbc, 0) < checks.percent_is_count_at
    )
