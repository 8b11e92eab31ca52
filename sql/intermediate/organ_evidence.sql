-- Organ failures in the window of a candidate by CLIF-C OF: the worst value of each organ, its subscore as two bounds
-- (1 to 3 where it was not measured), and the EASL-CLIF grade that the lowest and the highest subscores give. A
-- saturation or a partial pressure counts over the last fraction of inspired oxygen known before it. Renal replacement
-- and vasopressors that nobody recorded were not given, unless the source has no such records at all. Values and
-- limits are compared in single precision, so that 205.2 umol/L is 12 mg/dL in spite of binary noise.
-- one row per candidate
with cutoffs as (
    select
        cast(max(value) filter (where item = 'liver_2_mg_dl') as real) as liver_2,
        cast(max(value) filter (where item = 'liver_3_mg_dl') as real) as liver_3,
        max(text) filter (where item = 'liver_operator') as liver_operator,
        cast(max(value) filter (where item = 'kidney_dysfunction_mg_dl') as real) as kidney_dysfunction,
        cast(max(value) filter (where item = 'kidney_2_mg_dl') as real) as kidney_2,
        cast(max(value) filter (where item = 'kidney_3_mg_dl') as real) as kidney_3,
        cast(max(value) filter (where item = 'brain_2_grade') as real) as brain_2,
        cast(max(value) filter (where item = 'brain_3_grade') as real) as brain_3,
        cast(max(value) filter (where item = 'coagulation_2_inr') as real) as coagulation_2,
        cast(max(value) filter (where item = 'coagulation_3_inr') as real) as coagulation_3,
        cast(max(value) filter (where item = 'circulation_2_map_mmhg') as real) as circulation_2,
        cast(max(value) filter (where item = 'respiratory_2_pf') as real) as pf_2,
        cast(max(value) filter (where item = 'respiratory_3_pf') as real) as pf_3,
        cast(max(value) filter (where item = 'respiratory_2_sf') as real) as sf_2,
        cast(max(value) filter (where item = 'respiratory_3_sf') as real) as sf_3
    from rules.definitions
    where definition = 'organ_failure'
),

units as (
    select
        max(factor) filter (where analyte = 'bilirubin_total') as bilirubin_mg_dl,
        max(factor) filter (where analyte = 'creatinine') as creatinine_mg_dl
    from rules.analyte_units
    where unit = 'mg/dL'
),

windows as (
    select
        candidate_id,
        person_id,
        window_from,
        window_to
    from intermediate.aclf_windows
),

labs as (
    select
        windows.candidate_id,
        labs.analyte,
        labs.collected_at,
        labs.value,
        labs._row_id
    from intermediate.labs as labs
    inner join windows
        on
            labs.person_id = windows.person_id
            and labs.collected_at >= windows.window_from
            and labs.collected_at < windows.window_to
    where labs.analyte in ('creatinine', 'pao2') and labs.verdict in ('used', 'censored') and labs.value is not null
),

signs as (
    select
        windows.candidate_id,
        signs.item,
        signs.measured_at,
        signs.value,
        signs._row_id
    from intermediate.signs as signs
    inner join windows
        on
            signs.person_id = windows.person_id
            and signs.measured_at >= windows.window_from
            and signs.measured_at < windows.window_to
    where signs.item in ('map', 'spo2', 'fio2')
),

oxygen as (
    select
        candidate_id,
        'sf' as ratio,
        measured_at as taken_at,
        value,
        _row_id
    from signs
    where item = 'spo2'
    union all
    select
        candidate_id,
        'pf' as ratio,
        collected_at as taken_at,
        value,
        _row_id
    from labs
    where analyte = 'pao2'
),

inspired as (
    select
        oxygen.candidate_id,
        oxygen.ratio,
        oxygen.taken_at,
        oxygen.value,
        oxygen._row_id,
        arg_max(signs.value, signs.measured_at) as fio2
    from oxygen
    inner join signs
        on
            oxygen.candidate_id = signs.candidate_id
            and signs.item = 'fio2'
            and oxygen.taken_at >= signs.measured_at
    group by oxygen.candidate_id, oxygen.ratio, oxygen.taken_at, oxygen.value, oxygen._row_id
),

ratios as (
    select
        candidate_id,
        min(value / nullif(fio2, 0)) filter (where ratio = 'pf') as pf_min,
        min(value / nullif(fio2, 0)) filter (where ratio = 'sf') as sf_min,
        arg_min(_row_id, (value / nullif(fio2, 0), _row_id)) as ratio_row_id
    from inspired
    group by candidate_id
),

measured as (
    select
        windows.candidate_id,
        max(labs.value) as creatinine_max_umol_l,
        arg_max(labs._row_id, (labs.value, -labs._row_id)) as creatinine_row_id
    from windows
    left join labs on windows.candidate_id = labs.candidate_id and labs.analyte = 'creatinine'
    group by windows.candidate_id
),

pressures as (
    select
        candidate_id,
        min(value) as map_min,
        arg_min(_row_id, (value, _row_id)) as map_row_id
    from signs
    where item = 'map'
    group by candidate_id
),

supported as (
    select
        windows.candidate_id,
        bool_or(treatments.item = 'renal_replacement') as has_dialysis,
        bool_or(treatments.item = 'vasopressor') as has_vasopressor,
        list_sort(list(treatments._row_id)) as row_ids
    from intermediate.treatments as treatments
    inner join windows
        on
            treatments.person_id = windows.person_id
            and treatments.ended_at >= windows.window_from
            and treatments.started_at < windows.window_to
    where treatments.item in ('renal_replacement', 'vasopressor')
    group by windows.candidate_id
),

absent as (
    select
        coalesce(bool_or(kind = 'procedures'), false) as without_procedures,
        coalesce(bool_or(kind = 'medications'), false) as without_medications
    from mapping.absent_kinds
),

known as (
    select
        aclf.candidate_id,
        cast(aclf.bilirubin_max_umol_l / units.bilirubin_mg_dl as real) as bilirubin,
        cast(measured.creatinine_max_umol_l / units.creatinine_mg_dl as real) as creatinine,
        cast(aclf.inr_max as real) as inr,
        aclf.he_grade,
        cast(pressures.map_min as real) as map_min,
        cast(ratios.pf_min as real) as pf_min,
        cast(ratios.sf_min as real) as sf_min,
        case
            when supported.has_dialysis then true
            when not absent.without_procedures then false
        end as dialysis,
        case
            when supported.has_vasopressor then true
            when not absent.without_medications then false
        end as vasopressor,
        measured.creatinine_max_umol_l,
        list_distinct(
            list_concat(
                [measured.creatinine_row_id, pressures.map_row_id, ratios.ratio_row_id],
                coalesce(supported.row_ids, [])
            )
        ) as row_ids
    from intermediate.aclf_values as aclf
    inner join measured on aclf.candidate_id = measured.candidate_id
    left join pressures on aclf.candidate_id = pressures.candidate_id
    left join ratios on aclf.candidate_id = ratios.candidate_id
    left join supported on aclf.candidate_id = supported.candidate_id
    cross join units
    cross join absent
),

exceeded as (
    select
        known.*,
        known.bilirubin >= cutoffs.liver_2 as liver_2,
        case
            when cutoffs.liver_operator = '>' then known.bilirubin > cutoffs.liver_3
            else known.bilirubin >= cutoffs.liver_3
        end as liver_3,
        known.creatinine >= cutoffs.kidney_dysfunction as kidney_dysfunction,
        known.creatinine >= cutoffs.kidney_2 as kidney_2,
        known.creatinine >= cutoffs.kidney_3 as kidney_3,
        known.he_grade >= cutoffs.brain_2 as brain_2,
        known.he_grade >= cutoffs.brain_3 as brain_3,
        known.inr >= cutoffs.coagulation_2 as coagulation_2,
        known.inr >= cutoffs.coagulation_3 as coagulation_3,
        known.map_min < cutoffs.circulation_2 as circulation_2,
        case
            when known.pf_min is not null then known.pf_min <= cutoffs.pf_2
            else known.sf_min <= cutoffs.sf_2
        end as respiratory_2,
        case
            when known.pf_min is not null then known.pf_min <= cutoffs.pf_3
            else known.sf_min <= cutoffs.sf_3
        end as respiratory_3
    from known
    cross join cutoffs
),

scored as (
    select
        exceeded.*,
        sides.side,
        coalesce(exceeded.liver_3, sides.is_worst) as liver_fails,
        coalesce(exceeded.kidney_2 or exceeded.dialysis, sides.is_worst) as kidney_fails,
        coalesce(exceeded.brain_3, sides.is_worst) as brain_fails,
        coalesce(exceeded.coagulation_3, sides.is_worst) as coagulation_fails,
        coalesce(exceeded.vasopressor, sides.is_worst) as circulation_fails,
        coalesce(exceeded.respiratory_3, sides.is_worst) as respiratory_fails,
        coalesce(exceeded.liver_2, sides.is_worst) as liver_weak,
        coalesce(exceeded.kidney_3 or exceeded.dialysis, sides.is_worst) as kidney_gone,
        coalesce(exceeded.brain_2, sides.is_worst) as brain_weak,
        coalesce(exceeded.coagulation_2, sides.is_worst) as coagulation_weak,
        coalesce(exceeded.circulation_2 or exceeded.vasopressor, sides.is_worst) as circulation_weak,
        coalesce(exceeded.respiratory_2, sides.is_worst) as respiratory_weak,
        coalesce(exceeded.kidney_dysfunction, sides.is_worst) as kidney_weak
    from exceeded
    cross join (values ('low', false), ('high', true)) as sides (side, is_worst)
),

counted as (
    select
        *,
        cast(liver_fails as integer)
        + cast(kidney_fails as integer)
        + cast(brain_fails as integer)
        + cast(coagulation_fails as integer)
        + cast(circulation_fails as integer)
        + cast(respiratory_fails as integer) as failures,
        kidney_fails or kidney_weak or (brain_weak and not brain_fails) as has_company
    from scored
),

graded as (
    select
        candidate_id,
        side,
        1 + cast(liver_weak as integer) + cast(liver_fails as integer) as liver,
        1 + cast(kidney_fails as integer) + cast(kidney_gone as integer) as kidney,
        1 + cast(brain_weak as integer) + cast(brain_fails as integer) as brain,
        1 + cast(coagulation_weak as integer) + cast(coagulation_fails as integer) as coagulation,
        1 + cast(circulation_weak as integer) + cast(circulation_fails as integer) as circulation,
        1 + cast(respiratory_weak as integer) + cast(respiratory_fails as integer) as respiratory,
        case
            when failures > 1 or (failures = 1 and has_company)
                then 1 + cast(failures > 1 as integer) + cast(failures - 1 > 1 as integer)
            else 0
        end as grade
    from counted
),

sided as (
    select
        candidate_id,
        max(liver) filter (where side = 'low') as liver_low,
        max(liver) filter (where side = 'high') as liver_high,
        max(kidney) filter (where side = 'low') as kidney_low,
        max(kidney) filter (where side = 'high') as kidney_high,
        max(brain) filter (where side = 'low') as brain_low,
        max(brain) filter (where side = 'high') as brain_high,
        max(coagulation) filter (where side = 'low') as coagulation_low,
        max(coagulation) filter (where side = 'high') as coagulation_high,
        max(circulation) filter (where side = 'low') as circulation_low,
        max(circulation) filter (where side = 'high') as circulation_high,
        max(respiratory) filter (where side = 'low') as respiratory_low,
        max(respiratory) filter (where side = 'high') as respiratory_high,
        max(grade) filter (where side = 'low') as grade_low,
        max(grade) filter (where side = 'high') as grade_high
    from graded
    group by candidate_id
)

select
    sided.*,
    known.creatinine_max_umol_l,
    known.dialysis,
    known.map_min,
    known.vasopressor,
    known.pf_min,
    known.sf_min,
    known.row_ids
from sided
inner join known on sided.candidate_id = known.candidate_id
