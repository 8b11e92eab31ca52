-- Counts of neutrophils and lymphocytes that are not their percentage of the white cells of their tube, beyond what two
-- separate measurements differ by.
-- one row per violating count
with limits as (
    select
        max(value) filter (where item = 'share_difference_max') as share_max,
        max(value) filter (where item = 'count_difference_max') as count_max,
        max(value) filter (where item = 'one_percent') as one_percent
    from rules.definitions
    where definition = 'blood_count'
),

counts as (
    select
        neutrophils_row as _row_id,
        'neutrophils' as cells,
        neutrophils as cell_count,
        neutrophils_pct as percentage,
        wbc
    from audit.lab_tubes
    union all
    select
        lymphocytes_row as _row_id,
        'lymphocytes' as cells,
        lymphocytes as cell_count,
        lymphocytes_pct as percentage,
        wbc
    from audit.lab_tubes
),

expected as (
    select
        counts.*,
        counts.wbc * counts.percentage * limits.one_percent as cell_count_expected
    from counts
    cross join limits
)

select
    expected._row_id,
    concat(
        expected.cells, ' ', expected.cell_count, ', but ', expected.percentage, ' % of ', expected.wbc, ' are ',
        round(expected.cell_count_expected, 1)
    ) as observed
from expected
cross join limits
where
    abs(expected.cell_count - expected.cell_count_expected)
    > greatest(limits.share_max * greatest(expected.cell_count, expected.cell_count_expected), limits.count_max)
