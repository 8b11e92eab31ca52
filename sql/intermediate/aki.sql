-- Acute kidney injury at the index admission by the criteria of the International Club of Ascites: creatinine of the
-- days after the admission against its baseline, the last value of the months before, else the first of the admission.
-- Stage 0 is none; it is unknown where there is no value, or one with nothing to hold it against.
-- one row per candidate
with cutoffs as (
    select
        cast(max(value) filter (where item = 'rise_umol_l') as real) as rise_umol_l,
        to_hours(cast(max(value) filter (where item = 'rise_hours') as integer)) as rise_time,
        cast(max(value) filter (where item = 'ratio_1') as real) as ratio_1,
        to_days(cast(max(value) filter (where item = 'ratio_days') as integer)) as ratio_time,
        cast(max(value) filter (where item = 'ratio_2') as real) as ratio_2,
        cast(max(value) filter (where item = 'ratio_3') as real) as ratio_3,
        max(value) filter (where item = 'stage_3_umol_l') as stage_3_umol_l,
        to_days(cast(max(value) filter (where item = 'baseline_days') as integer)) as baseline_time
    from rules.definitions
    where definition = 'aki_ica'
),

windows as (
    select
        candidate_id,
        person_id,
        index_at
    from intermediate.aclf_windows
),

results as (
    select
        windows.candidate_id,
        labs.collected_at,
        labs.value,
        labs._row_id,
        labs.collected_at < windows.index_at as is_before
    from intermediate.labs as labs
    cross join cutoffs
    inner join windows
        on
            labs.person_id = windows.person_id
            and labs.collected_at >= windows.index_at - cutoffs.baseline_time
            and labs.collected_at < windows.index_at + cutoffs.ratio_time
    where labs.analyte = 'creatinine' and labs.verdict in ('used', 'censored') and labs.value > 0
),

baselines as (
    select
        candidate_id,
        bool_or(is_before) as is_before,
        count(*) filter (where not is_before) as results,
        coalesce(
            arg_max(value, (collected_at, _row_id)) filter (where is_before),
            arg_min(value, (collected_at, _row_id))
        ) as baseline_umol_l,
        coalesce(
            max(collected_at) filter (where is_before),
            min(collected_at)
        ) as baseline_at,
        coalesce(
            arg_max(_row_id, (collected_at, _row_id)) filter (where is_before),
            arg_min(_row_id, (collected_at, _row_id))
        ) as baseline_row_id
    from results
    group by candidate_id
),

rises as (
    select
        later.candidate_id,
        max(later.value - earlier.value) as rise_max
    from results as later
    cross join cutoffs
    inner join results as earlier
        on
            later.candidate_id = earlier.candidate_id
            and later.collected_at >= earlier.collected_at
            and later.collected_at - cutoffs.rise_time <= earlier.collected_at
    where not later.is_before
    group by later.candidate_id
),

highest as (
    select
        candidate_id,
        max(value) as creatinine_max_umol_l,
        arg_max(_row_id, (value, -_row_id)) as highest_row_id
    from results
    where not is_before
    group by candidate_id
),

replaced as (
    select
        windows.candidate_id,
        min(treatments._row_id) as dialysis_row_id
    from intermediate.treatments as treatments
    cross join cutoffs
    inner join windows
        on
            treatments.person_id = windows.person_id
            and treatments.ended_at >= windows.index_at
            and treatments.started_at < windows.index_at + cutoffs.ratio_time
    where treatments.item = 'renal_replacement'
    group by windows.candidate_id
),

compared as (
    select
        windows.candidate_id,
        baselines.baseline_umol_l,
        baselines.baseline_at,
        baselines.is_before as is_baseline_before,
        highest.creatinine_max_umol_l,
        rises.rise_max,
        cast(highest.creatinine_max_umol_l / baselines.baseline_umol_l as real) as ratio_max,
        replaced.candidate_id is not null as has_dialysis,
        baselines.results > 0 and (baselines.results > 1 or baselines.is_before) as is_comparable,
        list_distinct([baselines.baseline_row_id, highest.highest_row_id, replaced.dialysis_row_id]) as row_ids
    from windows
    left join baselines on windows.candidate_id = baselines.candidate_id
    left join highest on windows.candidate_id = highest.candidate_id
    left join rises on windows.candidate_id = rises.candidate_id
    left join replaced on windows.candidate_id = replaced.candidate_id
),

judged as (
    select
        compared.*,
        compared.ratio_max >= cutoffs.ratio_1 or cast(compared.rise_max as real) >= cutoffs.rise_umol_l as is_acute,
        compared.ratio_max > cutoffs.ratio_2 as is_2,
        compared.ratio_max > cutoffs.ratio_3 or compared.creatinine_max_umol_l >= cutoffs.stage_3_umol_l as is_3
    from compared
    cross join cutoffs
)

select
    candidate_id,
    baseline_umol_l,
    baseline_at,
    creatinine_max_umol_l,
    rise_max,
    ratio_max,
    has_dialysis,
    cast(
        case
            when has_dialysis then 1 + 1 + 1
            when not coalesce(is_comparable, false) then null
            when is_acute then 1 + cast(is_2 or is_3 as integer) + cast(is_3 as integer)
            else 0
        end as bigint
    ) as aki_stage,
    row_ids,
    concat(
        case
            when baseline_umol_l is null then 'no creatinine'
            else concat(
                'highest creatinine ',
                coalesce(cast(creatinine_max_umol_l as varchar), 'unknown'),
                ' umol/L, ',
                case when is_baseline_before then 'last before' else 'first of' end,
                ' the admission ',
                baseline_umol_l,
                ' on ',
                cast(baseline_at as date),
                ', steepest rise ',
                coalesce(cast(cast(rise_max as real) as varchar), 'unknown'),
                case when not is_comparable then '; one value, nothing to hold it against' end
            )
        end,
        case when has_dialysis then '; renal replacement' end
    ) as explanation
from judged
