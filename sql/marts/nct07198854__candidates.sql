-- The candidates of NCT07198854: the facts turned to columns, with what decides eligibility and what became of each.
-- A death or transplant whose day is not known lies between two days; it has a day of its own where the two are one.
-- Who left against advice and was never heard of again is marked, so that an analysis can take it for another outcome.
-- one row per candidate
with anchors as (
    select * from intermediate.anchors
),

facts as (
    select * from intermediate.facts
),

episodes as (
    select
        episode_id,
        disposition
    from intermediate.episodes
),

pivoted as (
    select
        candidate_id,
        max(value_text) filter (where variable = 'sex') as sex,
        max(value) filter (where variable = 'age_years') as age_years,
        max(value) filter (where variable = 'age_years_at_index') as age_years_at_index,
        max(value) filter (where variable = 'aclf') as aclf,
        max(value) filter (where variable = 'hbsag_evidence_level') as hbsag_evidence_level,
        max(value) filter (where variable = 'has_malignancy') as has_malignancy,
        max(value) filter (where variable = 'has_hcv') as has_hcv,
        max(value) filter (where variable = 'has_hiv_or_immunodeficiency') as has_hiv_or_immunodeficiency,
        max(value) filter (where variable = 'has_renal_dysfunction') as has_renal_dysfunction,
        max(value) filter (where variable = 'has_pregnancy_or_lactation') as has_pregnancy_or_lactation,
        max(value) filter (where variable = 'has_thyroid_disease') as has_thyroid_disease,
        max(value) filter (where variable = 'stay_hours') as stay_hours,
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
        max(value) filter (where variable = 'pta') as pta,
        max(value) filter (where variable = 'wbc') as wbc,
        max(value) filter (where variable = 'neutrophils') as neutrophils,
        max(value) filter (where variable = 'lymphocytes') as lymphocytes,
        max(value) filter (where variable = 'monocytes') as monocytes,
        max(value) filter (where variable = 'platelets') as platelets,
        max(value) filter (where variable = 'hemoglobin') as hemoglobin,
        max(value) filter (where variable = 'hbv_dna_log10') as hbv_dna_log10,
        max(value_text) filter (
            where variable = 'hbv_dna_log10' and value_text in ('<', '<=', '>', '>=')
        ) as hbv_dna_operator,
        max(value) filter (where variable = 'hbeag_positive') as hbeag_positive,
        max(value) filter (where variable = 'he_grade') as he_grade,
        max(value) filter (where variable = 'ascites') as ascites,
        max(value) filter (where variable = 'cirrhosis') as cirrhosis,
        max(value) filter (where variable = 'infection') as infection,
        max(value) filter (where variable = 'gi_bleed') as gi_bleed,
        max(value) filter (where variable = 'hrs') as hrs,
        max(value_text) filter (where variable = 'antiviral') as antiviral,
        max(value) filter (where variable = 'alss_before') as alss_before,
        max(value) filter (where variable = 'dialysis') as dialysis,
        max(value) filter (where variable = 'vasopressor') as vasopressor,
        max(value) filter (where variable = 'height_cm') as height_cm,
        max(value) filter (where variable = 'weight_kg') as weight_kg,
        max(value) filter (where variable = 'map') as map,
        max(value) filter (where variable = 'spo2') as spo2,
        max(value) filter (where variable = 'fio2') as fio2,
        max(value) filter (where variable = 'pao2') as pao2,
        max(value) filter (where variable = 'lactate') as lactate
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

last_stays as (
    select
        person_id,
        arg_max(disposition, (admitted_at, stay_id)) filter (where admitted_at is not null) as disposition,
        max(discharged_on) as discharged_on
    from intermediate.stays
    group by person_id
),

outcomes as (
    select
        anchors.candidate_id,
        case when not deaths.is_disputed then deaths.died_from end as death_from,
        case when not deaths.is_disputed then deaths.died_to end as death_to,
        case when not deaths.is_disputed then deaths.source end as death_source,
        coalesce(deaths.is_disputed, false) as death_disputed,
        transplants.from_on as transplant_from,
        transplants.to_on as transplant_to,
        coalesce(transplants.is_inferred, false) as transplant_inferred,
        last_alive.last_alive_on,
        coalesce(
            last_stays.disposition = 'against_advice'
            and deaths.person_id is null
            and last_alive.last_alive_on <= last_stays.discharged_on,
            false
        ) as left_without_follow_up
    from anchors
    left join last_stays on anchors.person_id = last_stays.person_id
    left join intermediate.deaths as deaths on anchors.person_id = deaths.person_id
    left join intermediate.transplants as transplants on anchors.person_id = transplants.person_id
    left join intermediate.last_alive as last_alive on anchors.person_id = last_alive.person_id
)

select
    anchors.candidate_id,
    anchors.person_id,
    anchors.time_zero,
    anchors.index_at,
    episodes.disposition,
    cast(anchors.infusions as bigint) as infusions,
    cast(anchors.infusions_in_course as bigint) as infusions_in_course,
    anchors.first_infusion_on,
    pivoted.sex,
    pivoted.age_years,
    cast(pivoted.age_years_at_index as bigint) as age_years_at_index,
    cast(pivoted.aclf as boolean) as aclf,
    aclf_evidence.aclf_apasl,
    aclf_evidence.aclf_cn_2012,
    aclf_evidence.aclf_cossh,
    aclf_evidence.aclf_easl_clif,
    aclf_evidence.aclf_grade_low,
    aclf_evidence.aclf_grade_high,
    aclf_evidence.aclf_stage_low,
    aclf_evidence.aclf_stage_high,
    aki.aki_stage,
    cast(pivoted.hbsag_evidence_level as bigint) as hbsag_evidence_level,
    cast(pivoted.has_malignancy as boolean) as has_malignancy,
    cast(pivoted.has_hcv as boolean) as has_hcv,
    cast(pivoted.has_hiv_or_immunodeficiency as boolean) as has_hiv_or_immunodeficiency,
    cast(pivoted.has_renal_dysfunction as boolean) as has_renal_dysfunction,
    cast(pivoted.has_pregnancy_or_lactation as boolean) as has_pregnancy_or_lactation,
    cast(pivoted.has_thyroid_disease as boolean) as has_thyroid_disease,
    pivoted.stay_hours,
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
    pivoted.pta,
    pivoted.wbc,
    pivoted.neutrophils,
    pivoted.lymphocytes,
    pivoted.monocytes,
    pivoted.platelets,
    pivoted.hemoglobin,
    pivoted.hbv_dna_log10,
    pivoted.hbv_dna_operator,
    cast(pivoted.hbeag_positive as boolean) as hbeag_positive,
    cast(pivoted.he_grade as bigint) as he_grade,
    cast(pivoted.ascites as bigint) as ascites,
    cast(pivoted.cirrhosis as boolean) as cirrhosis,
    cast(pivoted.infection as boolean) as infection,
    cast(pivoted.gi_bleed as boolean) as gi_bleed,
    cast(pivoted.hrs as boolean) as hrs,
    pivoted.antiviral,
    cast(pivoted.alss_before as boolean) as alss_before,
    cast(pivoted.dialysis as boolean) as dialysis,
    cast(pivoted.vasopressor as boolean) as vasopressor,
    pivoted.height_cm,
    pivoted.weight_kg,
    pivoted.map,
    pivoted.spo2,
    pivoted.fio2,
    pivoted.pao2,
    pivoted.lactate,
    altered.post_product_variables,
    altered.post_exchange_variables,
    case when outcomes.death_from = outcomes.death_to then outcomes.death_to end as death_on,
    outcomes.death_from,
    outcomes.death_to,
    outcomes.death_source,
    outcomes.death_disputed,
    case when outcomes.transplant_from = outcomes.transplant_to then outcomes.transplant_to end as transplant_on,
    outcomes.transplant_from,
    outcomes.transplant_to,
    outcomes.transplant_inferred,
    outcomes.last_alive_on,
    outcomes.left_without_follow_up
from anchors
inner join pivoted on anchors.candidate_id = pivoted.candidate_id
inner join outcomes on anchors.candidate_id = outcomes.candidate_id
inner join episodes on anchors.episode_id = episodes.episode_id
left join intermediate.aclf_evidence as aclf_evidence on anchors.candidate_id = aclf_evidence.candidate_id
left join intermediate.aki as aki on anchors.candidate_id = aki.candidate_id
left join altered on anchors.candidate_id = altered.candidate_id
