-- The candidates of icu_cirrhosis: the facts turned to columns, with what decides eligibility and what became of each.
-- A transplant ends nobody's observation: the endpoints are death from any cause, whatever came before it.
-- one row per admission
with anchors as (
    select * from intermediate.anchors
),

facts as (
    select * from intermediate.facts
),

pivoted as (
    select
        candidate_id,
        max(value_text) filter (where variable = 'sex') as sex,
        max(value) filter (where variable = 'age_years') as age_years,
        max(value) filter (where variable = 'age_years_at_index') as age_years_at_index,
        max(value) filter (where variable = 'has_cirrhosis') as has_cirrhosis,
        max(value) filter (where variable = 'is_first_admission') as is_first_admission,
        max(value) filter (where variable = 'stay_hours') as stay_hours,
        max(value) filter (where variable = 'died_in_hospital') as died_in_hospital,
        max(observed_at) filter (where variable = 'last_alive') as last_alive_at,
        max(value) filter (where variable = 'bilirubin_total') as bilirubin_total,
        max(value) filter (where variable = 'bilirubin_direct') as bilirubin_direct,
        max(value) filter (where variable = 'alt') as alt,
        max(value) filter (where variable = 'ast') as ast,
        max(value) filter (where variable = 'albumin') as albumin,
        max(value) filter (where variable = 'creatinine') as creatinine,
        max(value) filter (where variable = 'urea') as urea,
        max(value) filter (where variable = 'sodium') as sodium,
        max(value) filter (where variable = 'potassium') as potassium,
        max(value) filter (where variable = 'inr') as inr,
        max(value) filter (where variable = 'wbc') as wbc,
        max(value) filter (where variable = 'neutrophils') as neutrophils,
        max(value) filter (where variable = 'lymphocytes') as lymphocytes,
        max(value) filter (where variable = 'monocytes') as monocytes,
        max(value) filter (where variable = 'platelets') as platelets,
        max(value) filter (where variable = 'hemoglobin') as hemoglobin,
        max(value) filter (where variable = 'lactate') as lactate,
        max(value) filter (where variable = 'map') as map,
        max(value) filter (where variable = 'spo2') as spo2,
        max(value) filter (where variable = 'fio2') as fio2,
        max(value) filter (where variable = 'pao2') as pao2,
        max(value) filter (where variable = 'dialysis') as dialysis,
        max(value) filter (where variable = 'vasopressor') as vasopressor,
        max(value) filter (where variable = 'height_cm') as height_cm,
        max(value) filter (where variable = 'weight_kg') as weight_kg
    from facts
    group by candidate_id
),

altered as (
    select
        candidate_id,
        string_agg(variable, ', ' order by variable) as post_product_variables,
        string_agg(variable, ', ' order by variable) filter (
            where contains(post_product, 'artificial_liver') or contains(post_product, 'unrecorded')
        ) as post_exchange_variables
    from intermediate.baseline_facts
    where post_product is not null
    group by candidate_id
),

deaths as (
    select
        person_id,
        died_from,
        died_to,
        source
    from intermediate.deaths
    where not is_disputed
),

disputed as (
    select distinct person_id
    from intermediate.deaths
    where is_disputed
)

select
    anchors.candidate_id,
    anchors.person_id,
    anchors.time_zero,
    anchors.index_at,
    pivoted.sex,
    pivoted.age_years,
    pivoted.bilirubin_total,
    pivoted.bilirubin_direct,
    pivoted.alt,
    pivoted.ast,
    pivoted.albumin,
    pivoted.creatinine,
    pivoted.urea,
    pivoted.sodium,
    pivoted.potassium,
    pivoted.inr,
    pivoted.wbc,
    pivoted.neutrophils,
    pivoted.lymphocytes,
    pivoted.monocytes,
    pivoted.platelets,
    pivoted.hemoglobin,
    pivoted.lactate,
    pivoted.map,
    pivoted.spo2,
    pivoted.fio2,
    pivoted.pao2,
    cast(pivoted.dialysis as boolean) as dialysis,
    cast(pivoted.vasopressor as boolean) as vasopressor,
    pivoted.height_cm,
    pivoted.weight_kg,
    altered.post_product_variables,
    altered.post_exchange_variables,
    aclf_evidence.aclf_apasl,
    aclf_evidence.aclf_cn_2012,
    aclf_evidence.aclf_cossh,
    aclf_evidence.aclf_easl_clif,
    aclf_evidence.aclf_grade_low,
    aclf_evidence.aclf_grade_high,
    aclf_evidence.aclf_stage_low,
    aclf_evidence.aclf_stage_high,
    aki.aki_stage,
    cast(pivoted.age_years_at_index as bigint) as age_years_at_index,
    cast(pivoted.has_cirrhosis as boolean) as has_cirrhosis,
    cast(pivoted.is_first_admission as boolean) as is_first_admission,
    pivoted.stay_hours,
    cast(pivoted.died_in_hospital as boolean) as died_in_hospital,
    anchors.disposition,
    case when deaths.died_from = deaths.died_to then deaths.died_to end as death_on,
    deaths.died_from as death_from,
    deaths.died_to as death_to,
    deaths.source as death_source,
    disputed.person_id is not null as death_disputed,
    cast(null as date) as transplant_on,
    cast(null as date) as transplant_from,
    cast(null as date) as transplant_to,
    false as transplant_inferred,
    cast(pivoted.last_alive_at as date) as last_alive_on
from anchors
inner join pivoted on anchors.candidate_id = pivoted.candidate_id
left join deaths on anchors.person_id = deaths.person_id
left join disputed on anchors.person_id = disputed.person_id
left join intermediate.aclf_evidence as aclf_evidence on anchors.candidate_id = aclf_evidence.candidate_id
left join intermediate.aki as aki on anchors.candidate_id = aki.candidate_id
left join altered on anchors.candidate_id = altered.candidate_id
