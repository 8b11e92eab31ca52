-- Facts of the definitions: which ACLF definition a candidate meets in the window, grade and stage as bounds, and the
-- stage of acute kidney injury, each with the rows and values it rests on.
-- one row per candidate and definition
select
    evidence.candidate_id,
    found.variable,
    cast(found.value as double) as value,
    evidence.row_ids,
    concat(
        'from ',
        evidence.window_from,
        ' to ',
        evidence.window_to,
        ': highest bilirubin ',
        coalesce(cast(evidence.bilirubin_max_umol_l as varchar), 'unknown'),
        ' umol/L, steepest daily rise ',
        coalesce(cast(cast(evidence.bilirubin_daily_rise_max as real) as varchar), 'unknown'),
        ', highest INR ',
        coalesce(cast(evidence.inr_max as varchar), 'unknown'),
        ', lowest PTA ',
        coalesce(cast(evidence.pta_min as varchar), 'unknown'),
        ' %, ascites ',
        case when evidence.ascites then 'yes' when not evidence.ascites then 'no' else 'unknown' end,
        ', encephalopathy grade ',
        coalesce(cast(evidence.he_grade as varchar), 'unknown'),
        ', cirrhosis ',
        case when evidence.cirrhosis then 'yes' when not evidence.cirrhosis then 'no' else 'unknown' end,
        ', EASL-CLIF grade ',
        evidence.aclf_grade_low,
        case
            when evidence.aclf_grade_high > evidence.aclf_grade_low then concat(' to ', evidence.aclf_grade_high)
        end,
        case when found.value is null and not found.is_bound then '; a missing value decides' end
    ) as explanation
from intermediate.aclf_evidence as evidence
cross join
    lateral (
        values
        ('aclf_apasl', cast(evidence.aclf_apasl as bigint), false),
        ('aclf_cossh', cast(evidence.aclf_cossh as bigint), false),
        ('aclf_easl_clif', cast(evidence.aclf_easl_clif as bigint), false),
        ('aclf_cn_2012', cast(evidence.aclf_cn_2012 as bigint), false),
        ('aclf_grade_low', evidence.aclf_grade_low, true),
        ('aclf_grade_high', evidence.aclf_grade_high, true),
        ('aclf_stage_low', evidence.aclf_stage_low, true),
        ('aclf_stage_high', evidence.aclf_stage_high, true)
    ) as found (variable, value, is_bound)
union all
select
    candidate_id,
    'aki_stage' as variable,
    cast(aki_stage as double) as value,
    row_ids,
    explanation
from intermediate.aki
