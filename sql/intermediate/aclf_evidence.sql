-- Which definitions of ACLF a candidate meets in the window, with what they ask for: true, false, or null where a
-- missing value decides. The grade of EASL-CLIF and the stage of the Chinese guideline come as bounds: the highest that
-- the record proves, and the highest that what is missing leaves open. `aclf` is by the definition the study chose.
-- one row per candidate
with parameters as (
    select max(text) filter (where parameter = 'aclf_definition') as aclf_definition
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
        cast(max(value) filter (where item = 'cn_2012_daily_rise_umol_l') as real) as cn_2012_daily_rise,
        max(value) filter (where item = 'cn_2012_pta_percent') as cn_2012_pta,
        max(value) filter (where item = 'cn_2012_inr') as cn_2012_inr,
        max(value) filter (where item = 'easl_clif_grade') as easl_clif_grade
    from rules.definitions
    where definition = 'aclf'
),

stages as (
    select
        max(value) filter (where item = 'middle_pta_percent') as middle_pta,
        max(value) filter (where item = 'late_pta_percent') as late_pta,
        max(value) filter (where item = 'middle_he_grade') as middle_he_grade,
        max(value) filter (where item = 'late_he_grade') as late_he_grade,
        max(value) filter (where item = 'middle_stage') as middle_stage,
        max(value) filter (where item = 'late_stage') as late_stage
    from rules.definitions
    where definition = 'cn_2012_stages'
),

evidence as (
    select
        aclf.*,
        organs.grade_low,
        organs.grade_high,
        list_distinct(list_concat(aclf.row_ids, organs.row_ids)) as all_row_ids
    from intermediate.aclf_values as aclf
    inner join intermediate.organ_evidence as organs on aclf.candidate_id = organs.candidate_id
),

judged as (
    select
        evidence.*,
        evidence.bilirubin_max_umol_l >= cutoffs.apasl_bilirubin
        and (evidence.inr_max >= cutoffs.apasl_inr or evidence.pta_min < cutoffs.apasl_pta)
        and (evidence.ascites or evidence.he_grade >= cutoffs.apasl_he_grade) as aclf_apasl,
        evidence.bilirubin_max_umol_l >= cutoffs.cossh_bilirubin
        and evidence.inr_max >= cutoffs.cossh_inr as aclf_cossh,
        evidence.cirrhosis
        and case
            when evidence.grade_low >= cutoffs.easl_clif_grade then true
            when evidence.grade_high < cutoffs.easl_clif_grade then false
        end as aclf_easl_clif,
        (
            evidence.bilirubin_max_umol_l >= cutoffs.cn_2012_bilirubin
            or cast(evidence.bilirubin_daily_rise_max as real) >= cutoffs.cn_2012_daily_rise
        )
        and (
            evidence.pta_min <= cutoffs.cn_2012_pta
            or (cutoffs.cn_2012_inr is not null and evidence.inr_max >= cutoffs.cn_2012_inr)
        ) as aclf_cn_2012,
        coalesce(evidence.pta_min <= stages.late_pta, false)
        or coalesce(evidence.he_grade >= stages.late_he_grade, false) as is_late,
        coalesce(evidence.pta_min <= stages.middle_pta, false)
        or coalesce(evidence.he_grade >= stages.middle_he_grade, false)
        or coalesce(evidence.ascites_marked, false) as is_middle,
        evidence.he_grade is null or evidence.pta_min is null as may_be_late,
        evidence.ascites_marked is null as may_be_middle,
        stages.middle_stage,
        stages.late_stage
    from evidence
    cross join cutoffs
    cross join stages
),

staged as (
    select
        *,
        case
            when not coalesce(aclf_cn_2012, false) then null
            when is_late or (is_middle and coalesce(hrs, false)) then late_stage
            when is_middle then middle_stage
            else 1
        end as stage_low,
        case
            when not coalesce(aclf_cn_2012, false) then null
            when is_late or may_be_late or ((is_middle or may_be_middle) and coalesce(hrs, true)) then late_stage
            when is_middle or may_be_middle then middle_stage
            else 1
        end as stage_high
    from judged
)

select
    staged.candidate_id,
    staged.window_from,
    staged.window_to,
    staged.bilirubin_max_umol_l,
    staged.bilirubin_daily_rise_max,
    staged.inr_max,
    staged.pta_min,
    staged.ascites,
    staged.he_grade,
    staged.cirrhosis,
    staged.is_diagnosed,
    staged.aclf_apasl,
    staged.aclf_cossh,
    staged.aclf_easl_clif,
    staged.aclf_cn_2012,
    cast(staged.grade_low as bigint) as aclf_grade_low,
    cast(staged.grade_high as bigint) as aclf_grade_high,
    cast(staged.stage_low as bigint) as aclf_stage_low,
    cast(staged.stage_high as bigint) as aclf_stage_high,
    staged.all_row_ids as row_ids,
    case parameters.aclf_definition
        when 'apasl_or_cn2012' then staged.aclf_apasl or staged.aclf_cn_2012
        when 'cossh' then staged.aclf_cossh
        when 'easl_clif' then staged.aclf_easl_clif
        when 'coded_diagnosis' then staged.is_diagnosed
    end as aclf
from staged
cross join parameters
