-- Baseline facts: for each variable the one reading its window gives, and why this one. Nearest is nearest in days to
-- the reference day and, on one day, the first. A copied panel comes last, and a row outside the stay it is filed under
-- is not taken. No reading leaves the value missing, but a treatment that is not recorded was not given, unless the
-- source has no such records: then nobody knows. A result that a product given before it altered says so.
-- one row per candidate and baseline variable
with anchors as (
    select
        candidate_id,
        reference_name,
        reference_from,
        reference_to
    from intermediate.anchors
),

baseline as (
    select
        baseline.variable,
        baseline.source_table,
        baseline.days_before,
        baseline.days_after,
        baseline.pick,
        analytes.worst,
        analytes.unit
    from rules.baseline as baseline
    left join rules.analytes as analytes on coalesce(baseline.analyte, baseline.item) = analytes.analyte
),

flags as (
    select
        table_name,
        _row_id,
        list_sort(list(distinct rule_id)) as rule_ids
    from quality.violations
    where action = 'flag'
    group by table_name, _row_id
),

repairs as (
    select
        table_name,
        _row_id,
        list_sort(list(distinct rule_id)) as rule_ids,
        string_agg(concat(column_name, ' ', was, ' read as ', became), ', ' order by column_name) as says
    from quality.repairs
    group by table_name, _row_id
),

measured as (
    select
        readings.*,
        baseline.pick,
        baseline.worst,
        greatest(
            date_diff('day', readings.observed_at, anchors.reference_from),
            date_diff('day', anchors.reference_from, readings.observed_at),
            0
        ) as days_off,
        list_concat(coalesce(flags.rule_ids, []), coalesce(repairs.rule_ids, [])) as rule_ids,
        repairs.says as repaired,
        coalesce(list_contains(flags.rule_ids, 'labs_panel_not_copied'), false) as is_copied,
        list_contains(flags.rule_ids, 'labs_post_product_explained') as is_after_unrecorded
    from intermediate.readings as readings
    inner join anchors on readings.candidate_id = anchors.candidate_id
    inner join baseline on readings.variable = baseline.variable
    left join flags on baseline.source_table = flags.table_name and readings._row_id = flags._row_id
    left join repairs on baseline.source_table = repairs.table_name and readings._row_id = repairs._row_id
    where not coalesce(regexp_matches(array_to_string(flags.rule_ids, ','), '_in_stay(,|$)'), false)
),

ranked as (
    select
        *,
        row_number() over (
            partition by candidate_id, variable
            order by
                is_copied,
                case when pick = 'nearest' then days_off end,
                case when pick = 'worst' and worst = 'high' then -value when pick = 'worst' then value end,
                case when pick = 'last' then -epoch(observed_at) end,
                observed_at,
                _row_id
        ) as place,
        count(*) over (partition by candidate_id, variable) as readings,
        min(observed_at) over (partition by candidate_id, variable) as first_at,
        max(observed_at) over (partition by candidate_id, variable) as last_at
    from measured
),

picked as (
    select * from ranked
    where place = 1
),

absent as (
    select
        kind,
        reason
    from mapping.absent_kinds
),

grid as (
    select
        anchors.candidate_id,
        anchors.reference_name,
        baseline.variable,
        baseline.source_table,
        baseline.source_table in ('procedures', 'medications') and absent.kind is null as is_treatment,
        absent.reason as absent_because,
        baseline.unit,
        cast(anchors.reference_from - to_days(cast(baseline.days_before as integer)) as date) as window_from,
        cast(
            anchors.reference_to + to_days(cast(baseline.days_after as integer)) - interval '1 second' as date
        ) as window_to
    from anchors
    cross join baseline
    left join absent on baseline.source_table = absent.kind
)

select
    grid.candidate_id,
    grid.variable,
    case when grid.is_treatment then coalesce(picked.value, 0) else picked.value end as value,
    coalesce(picked.value_code, picked.submitted) as value_text,
    picked.observed_at,
    case when picked._row_id is null then [] else [picked._row_id] end as row_ids,
    coalesce(picked.rule_ids, []) as rule_ids,
    nullif(
        concat_ws(', ', picked.post_product, case when picked.is_after_unrecorded then 'unrecorded' end), ''
    ) as post_product,
    case
        when picked._row_id is null and grid.is_treatment
            then concat('nothing recorded from ', grid.window_from, ' to ', grid.window_to, ', so it was not given')
        when picked._row_id is null and grid.absent_because is not null
            then concat('not delivered: ', grid.absent_because)
        when picked._row_id is null
            then concat('no result from ', grid.window_from, ' to ', grid.window_to)
        else concat(
            picked.pick,
            ' of ',
            picked.readings,
            case when picked.readings = 1 then ' result on ' else ' results from ' end,
            cast(picked.first_at as date),
            case when picked.readings = 1 then '' else concat(' to ', cast(picked.last_at as date)) end,
            '; taken ',
            strftime(picked.observed_at, '%Y-%m-%d %H:%M'),
            ', ',
            picked.days_off,
            case when picked.days_off = 1 then ' day from ' else ' days from ' end,
            grid.reference_name,
            '; ',
            picked.submitted,
            ' as submitted',
            case when picked.repaired is not null then concat('; repaired: ', picked.repaired) end,
            '; altered by what was given before it: ' || picked.post_product,
            case when picked.is_after_unrecorded then '; fallen as after a session that left no record' end
        )
    end as explanation
from grid
left join picked on grid.candidate_id = picked.candidate_id and grid.variable = picked.variable
