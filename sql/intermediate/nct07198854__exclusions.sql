-- What the record holds against a candidate: every place in which an exclusion of NCT07198854 shows. "Before the first
-- infusion" means up to the end of the index episode for who had none. Codes count in the index episode and before it,
-- unless the front page says that the condition arose in the stay; pregnancy counts in the index episode only, and
-- of a man by decision only. An image that alone speaks of cancer counts unless a decision clears the patient.
-- one row per candidate, exclusion and kind of source
with parameters as (
    select
        max(value) filter (where parameter = 'renal_creatinine_umol_l') as creatinine_max,
        max(value) filter (where parameter = 'hcg_min') as hcg_min,
        max(value) filter (where parameter = 'hcv_antibody_min') as hcv_antibody_min,
        max(value) filter (where parameter = 'hiv_antibody_min') as hiv_antibody_min
    from rules.parameters
),

persons as (
    select
        patient_id,
        person_id,
        sex
    from intermediate.persons
),

stays as (
    select
        stay_id,
        episode_id
    from intermediate.stays
),

onsets as (
    select
        persons.person_id,
        cast(assessments.assessed_at as date) as assessed_on,
        assessments.from_on
    from core.assessments as assessments
    inner join persons on assessments.patient_id = persons.patient_id
    where assessments.item = 'onset' and assessments.from_on is not null
),

indexed as (
    select
        candidate_id,
        person_id,
        episode_id,
        index_on,
        index_end_on,
        first_infusion_on
    from intermediate.anchors
),

first_onsets as (
    select
        indexed.candidate_id,
        min(onsets.from_on) as onset_on
    from indexed
    inner join onsets
        on
            indexed.person_id = onsets.person_id
            and onsets.assessed_on between indexed.index_on and indexed.index_end_on
    group by indexed.candidate_id
),

anchors as (
    select
        indexed.*,
        coalesce(indexed.first_infusion_on, indexed.index_end_on + 1) as before_on,
        coalesce(first_onsets.onset_on, indexed.index_on) as onset_on
    from indexed
    left join first_onsets on indexed.candidate_id = first_onsets.candidate_id
),

codelists as (
    select
        pairs.codelist,
        pairs.exclusion
    from (
        values
        ('malignancy', 'malignancy'),
        ('hcv', 'hcv'),
        ('hiv_immunodeficiency', 'hiv_or_immunodeficiency'),
        ('renal_failure', 'renal_dysfunction'),
        ('pregnancy', 'pregnancy_or_lactation'),
        ('thyroid', 'thyroid_disease')
    ) as pairs (codelist, exclusion)
),

comorbidities as (
    select
        pairs.value_code,
        pairs.exclusion
    from (
        values
        ('liver_cancer', 'malignancy'),
        ('other_malignancy', 'malignancy'),
        ('hcv', 'hcv'),
        ('hiv', 'hiv_or_immunodeficiency'),
        ('immunodeficiency', 'hiv_or_immunodeficiency'),
        ('chronic_kidney_disease', 'renal_dysfunction'),
        ('pregnancy', 'pregnancy_or_lactation'),
        ('lactation', 'pregnancy_or_lactation'),
        ('hyperthyroidism', 'thyroid_disease'),
        ('other_thyroid_disease', 'thyroid_disease')
    ) as pairs (value_code, exclusion)
),

coded as (
    select
        anchors.candidate_id,
        codelists.exclusion,
        'diagnosis' as source,
        cast(diagnoses.admitted_at as date) as found_on,
        concat_ws(' ', diagnoses.code, diagnoses.label) as says,
        diagnoses._row_id
    from intermediate.diagnoses as diagnoses
    inner join codelists on diagnoses.codelist = codelists.codelist
    inner join stays on diagnoses.stay_id = stays.stay_id
    inner join anchors on diagnoses.person_id = anchors.person_id
    where
        diagnoses.present_on_admission is distinct from 'no'
        and cast(diagnoses.admitted_at as date) <= anchors.index_end_on
        and (codelists.exclusion <> 'pregnancy_or_lactation' or stays.episode_id = anchors.episode_id)
),

assessed as (
    select
        anchors.candidate_id,
        comorbidities.exclusion,
        'comorbidity' as source,
        cast(assessments.assessed_at as date) as found_on,
        assessments.value_text as says,
        assessments._row_id
    from core.assessments as assessments
    inner join comorbidities on assessments.value_code = comorbidities.value_code
    inner join persons on assessments.patient_id = persons.patient_id
    inner join anchors on persons.person_id = anchors.person_id
    where
        assessments.item = 'comorbidity'
        and cast(assessments.assessed_at as date) <= anchors.index_end_on
        and (
            comorbidities.exclusion <> 'pregnancy_or_lactation'
            or cast(assessments.assessed_at as date) >= anchors.index_on
        )
),

cleared as (
    select person_id
    from intermediate.decisions
    where question = 'hcc_date_hidden' and choice = 'no_cancer'
),

imaged as (
    select
        anchors.candidate_id,
        'malignancy' as exclusion,
        'imaging' as source,
        cast(imaging.examined_at as date) as found_on,
        imaging.conclusion as says,
        imaging._row_id
    from core.imaging as imaging
    inner join persons on imaging.patient_id = persons.patient_id
    inner join anchors on persons.person_id = anchors.person_id
    anti join cleared on anchors.person_id = cleared.person_id
    where imaging.liver_cancer = 'yes' and cast(imaging.examined_at as date) < anchors.before_on
),

measured as (
    select
        anchors.candidate_id,
        case labs.analyte
            when 'hcv_ab' then 'hcv'
            when 'hcv_rna' then 'hcv'
            when 'hiv_ab' then 'hiv_or_immunodeficiency'
            when 'hcg' then 'pregnancy_or_lactation'
            else 'renal_dysfunction'
        end as exclusion,
        'laboratory' as source,
        cast(labs.collected_at as date) as found_on,
        concat_ws(' ', labs.analyte, labs.value_text, labs.unit_text) as says,
        labs._row_id
    from intermediate.labs as labs
    cross join parameters
    inner join anchors on labs.person_id = anchors.person_id
    where
        labs.analyte in ('hcv_ab', 'hcv_rna', 'hiv_ab', 'hcg', 'creatinine')
        and coalesce(labs.operator, '=') not in ('<', '<=')
        and cast(labs.collected_at as date) <= anchors.index_end_on
        and case labs.analyte
            when 'hcv_ab' then labs.text_result = 'positive' or labs.value >= parameters.hcv_antibody_min
            when 'hcv_rna' then labs.text_result = 'positive' or labs.value > 0
            when 'hiv_ab' then labs.text_result = 'positive' or labs.value >= parameters.hiv_antibody_min
            when 'hcg'
                then
                    labs.value >= parameters.hcg_min and cast(labs.collected_at as date) >= anchors.index_on
            else
                labs.verdict = 'used'
                and labs.value > parameters.creatinine_max
                and cast(labs.collected_at as date) < anchors.onset_on
        end
),

filtered as (
    select
        anchors.candidate_id,
        'renal_dysfunction' as exclusion,
        'procedure' as source,
        cast(procedures.started_at as date) as found_on,
        procedures.method_text as says,
        procedures._row_id
    from core.procedures as procedures
    inner join persons on procedures.patient_id = persons.patient_id
    inner join anchors on persons.person_id = anchors.person_id
    where procedures.category = 'renal_replacement' and cast(procedures.started_at as date) < anchors.before_on
),

ordered as (
    select
        anchors.candidate_id,
        'thyroid_disease' as exclusion,
        'medication' as source,
        cast(coalesce(medications.executed_at, medications.started_at) as date) as found_on,
        medications.drug_text as says,
        medications._row_id
    from core.medications as medications
    inner join persons on medications.patient_id = persons.patient_id
    inner join anchors on persons.person_id = anchors.person_id
    where
        medications.drug_class = 'antithyroid'
        and medications.status in ('executed', 'stopped')
        and cast(coalesce(medications.executed_at, medications.started_at) as date) <= anchors.index_end_on
),

found as (
    select * from coded
    union all
    select * from assessed
    union all
    select * from imaged
    union all
    select * from measured
    union all
    select * from filtered
    union all
    select * from ordered
),

pregnant_men as (
    select person_id
    from intermediate.decisions
    where question = 'pregnant_man' and choice = 'pregnant'
),

men as (
    select persons.person_id
    from persons
    anti join pregnant_men on persons.person_id = pregnant_men.person_id
    where persons.sex = 'male'
),

plausible as (
    select found.*
    from found
    inner join anchors on found.candidate_id = anchors.candidate_id
    anti join men on anchors.person_id = men.person_id and found.exclusion = 'pregnancy_or_lactation'
)

select
    candidate_id,
    exclusion,
    source,
    min(found_on) as found_on,
    count(*) as records,
    arg_min(says, (found_on, _row_id)) filter (where found_on is not null) as says,
    list(_row_id order by found_on, _row_id) as row_ids
from plausible
group by candidate_id, exclusion, source
