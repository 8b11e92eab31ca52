-- Record numbers that one person has, with what may tell that two of them are one person's. `national_id` is a valid
-- one, and the sex and birth month it encodes stand before the stated ones; names that lost a character are left out.
-- one row per record number
with pages as (
    select
        patient_id,
        person_id,
        case when national_id_valid then national_id end as national_id,
        name_id,
        coalesce(
            case when national_id_valid then nullif(national_id_sex, 'unknown') end, nullif(sex, 'unknown')
        ) as sex,
        coalesce(case when national_id_valid then national_id_birth_month end, birth_month) as birth_month
    from staging.patients
),

admissions as (
    select
        patient_id,
        min(admitted_at) as first_admitted_at
    from staging.stays
    group by patient_id
),

described as (
    select
        pages.patient_id,
        min(pages.person_id) as person_id,
        min(pages.national_id) as national_id,
        mode(pages.name_id order by pages.name_id) as name_id,
        mode(pages.sex order by pages.sex) as sex,
        mode(pages.birth_month order by pages.birth_month) as birth_month
    from pages
    anti join audit.shared_record_numbers as shared on pages.patient_id = shared.patient_id
    group by pages.patient_id
)

select
    described.*,
    admissions.first_admitted_at
from described
left join admissions on described.patient_id = admissions.patient_id
