-- What the definitions of ACLF ask for, in the days around the index admission (the highest bilirubin, its steepest
-- daily rise, the highest INR, the lowest prothrombin activity, ascites or encephalopathy), and the definitions met:
-- true, false, or null where a missing value decides. `aclf` is by the definition the study chose.
-- one row per candidate
with parameters as (
    select
        cast(max(value) filter (where parameter = 'aclf_window_days') as integer) as window_days,
        max(text) filter (where parameter = 'aclf_definition') as aclf_definition
    from rules.parameters
),

cutoffs as (
    select
        max(value) filter (where item = 'apasl_bilirubin_umol_l') as apasl_bilirubin,
        max(value) filter (where item = 'apasl_inr') as apasl_inr,
        max(value) filter (where item = 'apasl_pta_percent') as apasl_pta,
        max(value) filter (where item = 'apasl_he_grade') as apasl_he_grade,
        max(value) filter (where item = 'cossh_bilirubin_umol_l') as cossh_bilirubin,
        max(value) filter (where item = 'cossh_inr') as cossh_inr,
        max(value) filter (where item = 'cn_2012_bilirubin_umol_l') as cn_2012_bilirubin,
        max(value) filter (where item = 'cn_2012_daily_rise_umol_l') as cn_2012_daily_rise,
        max(value) filter (where item = 'cn_2012_pta_percent') as cn_2012_pta,
        max(value) filter (where item = 'cn_2012_inr') as cn_2012_inr
    from rules.definitions
    where definition = 'aclf'
),

persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

windows as (
    select
        anchors.candidate_id,
        anchors.person_id,
        anchors.index_on - parameters.window_days as window_from,
        anchors.index_on + parameters.window_days as window_to
    from intermediate.anchors as anchors
    cross join parameters
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
            and cast(labs.collected_at as date) between windows.window_from and windows.window_to
    where labs.analyte in ('bilirubin_total', 'inr', 'pta') and labs.verdict in ('used', 'censored')
),

daily_bilirubin as (
    select
        candidate_id,
        cast(collected_at as date) as collected_on,
        max(value) as value
    from labs
    where analyte = 'bilirubin_total'
    group by candidate_id, cast(collected_at as date)
),

rises as (
    select
        candidate_id,
        (value - lag(value) over earlier) / date_diff('day', lag(collected_on) over earlier, collected_on) as daily_rise
    from daily_bilirubin
    window earlier as (partition by candidate_id order by collected_on)
),

steepest as (
    select
        candidate_id,
        max(daily_rise) as bilirubin_daily_rise_max
    from rises
    group by candidate_id
),

extremes as (
    select
        candidate_id,
        max(value) filter (where analyte = 'bilirubin_total') as bilirubin_max_umol_l,
        arg_max(_row_id, (value, -_row_id)) filter (
            where analyte = 'bilirubin_total' and value is not null
        ) as bilirubin_row_id,
        max(value) filter (where analyte = 'inr') as inr_max,
        arg_max(_row_id, (value, -_row_id)) filter (where analyte = 'inr' and value is not null) as inr_row_id,
        min(value) filter (where analyte = 'pta') as pta_min,
        arg_min(_row_id, (value, _row_id)) filter (where analyte = 'pta' and value is not null) as pta_row_id
    from labs
    group by candidate_id
),

answers as (
    select
        windows.candidate_id,
        assessments.item,
        assessments.value,
        assessments.value_code,
        assessments._row_id
    from core.assessments as assessments
    inner join persons on assessments.patient_id = persons.patient_id
    inner join windows
        on
            persons.person_id = windows.person_id
            and cast(assessments.assessed_at as date) between windows.window_from and windows.window_to
    where assessments.item in ('ascites', 'he_grade', 'aclf_diagnosis')
),

signs as (
    select
        candidate_id,
        bool_or(value_code <> 'none') filter (where item = 'ascites') as ascites,
        min(_row_id) filter (where item = 'ascites' and value_code <> 'none') as ascites_row_id,
        max(value) filter (where item = 'he_grade') as he_grade,
        arg_max(_row_id, (value, -_row_id)) filter (where item = 'he_grade' and value is not null) as he_row_id,
        bool_or(item = 'aclf_diagnosis') as is_diagnosed
    from answers
    group by candidate_id
),

evidence as (
    select
        windows.candidate_id,
        windows.window_from,
        windows.window_to,
        extremes.bilirubin_max_umol_l,
        steepest.bilirubin_daily_rise_max,
        extremes.inr_max,
        extremes.pta_min,
        signs.ascites,
        signs.he_grade,
        coalesce(signs.is_diagnosed, false) as is_diagnosed,
        list_distinct(
            [
                extremes.bilirubin_row_id,
                extremes.inr_row_id,
                extremes.pta_row_id,
                signs.ascites_row_id,
                signs.he_row_id,
            ]
        ) as row_ids
    from windows
    left join extremes on windows.candidate_id = extremes.candidate_id
    left join steepest on windows.candidate_id = steepest.candidate_id
    left join signs on windows.candidate_id = signs.candidate_id
),

judged as (
    select
        evidence.*,
        evidence.bilirubin_max_umol_l >= cutoffs.apasl_bilirubin
        and (evidence.inr_max >= cutoffs.apasl_inr or evidence.pta_min < cutoffs.apasl_pta)
        and (evidence.ascites or evidence.he_grade >= cutoffs.apasl_he_grade) as aclf_apasl,
        evidence.bilirubin_max_umol_l >= cutoffs.cossh_bilirubin
        and evidence.inr_max >= cutoffs.cossh_inr as aclf_cossh,
        (
            evidence.bilirubin_max_umol_l >= cutoffs.cn_2012_bilirubin
            or evidence.bilirubin_daily_rise_max >= cutoffs.cn_2012_daily_rise
        )
        and (
            evidence.pta_min <= cutoffs.cn_2012_pta
            or (cutoffs.cn_2012_inr is not null and evidence.inr_max >= cutoffs.cn_2012_inr)
        ) as aclf_cn_2012
    from evidence
    cross join cutoffs
)

select
    judged.*,
    case parameters.aclf_definition
        when 'apasl_or_cn2012' then judged.aclf_apasl or judged.aclf_cn_2012
        when 'cossh' then judged.aclf_cossh
        when 'coded_diagnosis' then judged.is_diagnosed
    end as aclf
from judged
cross join parameters
