-- Liver cancer seen before the first infusion in somebody whose front pages and comorbidities up to the index stay name
-- no malignancy: the exclusion would rest on the image alone. The first infusion is the first one in a stay.
-- one row per violating report
with codelists as (
    select
        system,
        code
    from rules.codelists
    where codelist = 'malignancy'
),

stays as (
    select
        patient_id,
        stay_id,
        cast(admitted_at as date) as admitted_on,
        cast(discharged_at as date) as discharged_on
    from staging.stays
),

given as (
    select
        patient_id,
        infused_on
    from staging.infusions
    union
    select
        patient_id,
        cast(coalesce(executed_at, started_at) as date) as infused_on
    from staging.medications
    where drug_class = 'msc' and status = 'executed'
),

first_infusions as (
    select
        given.patient_id,
        coalesce(min(given.infused_on) filter (where stays.stay_id is not null), min(given.infused_on)) as infused_on
    from given
    left join stays
        on
            given.patient_id = stays.patient_id
            and given.infused_on between stays.admitted_on and stays.discharged_on
    group by given.patient_id
),

earlier_stays as (
    select stays.stay_id
    from stays
    inner join first_infusions on stays.patient_id = first_infusions.patient_id
    where stays.admitted_on <= first_infusions.infused_on
),

named as (
    select diagnoses.patient_id
    from staging.diagnoses as diagnoses
    inner join codelists
        on starts_with(diagnoses.code_system, codelists.system) and starts_with(diagnoses.code, codelists.code)
    inner join earlier_stays on diagnoses.stay_id = earlier_stays.stay_id
    union
    select assessments.patient_id
    from staging.assessments as assessments
    inner join earlier_stays on assessments.stay_id = earlier_stays.stay_id
    where assessments.item = 'comorbidity' and assessments.value_code in ('liver_cancer', 'other_malignancy')
)

select
    imaging._row_id,
    concat(
        'seen on ',
        cast(imaging.examined_at as date),
        ', first infusion on ',
        first_infusions.infused_on,
        ', no malignancy named'
    ) as observed
from staging.imaging as imaging
inner join first_infusions on imaging.patient_id = first_infusions.patient_id
anti join named on imaging.patient_id = named.patient_id
where imaging.liver_cancer = 'yes' and cast(imaging.examined_at as date) < first_infusions.infused_on
