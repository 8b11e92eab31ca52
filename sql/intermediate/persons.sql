-- Persons: record numbers joined into one person by an equal and valid national identity number.
-- Nothing else links: a record number without a valid identity number stays a person of its own. A record number that
-- two persons share is nobody: no row of it can be told to be one's or the other's. Sex and birth month
-- encoded in a valid identity number stand before the stated ones; among stated ones the most frequent holds.
-- one row per record number (patient_id)
with front_pages as (
    select
        patient_id,
        national_id,
        national_id_valid,
        national_id_birth_month,
        national_id_sex,
        sex,
        birth_month
    from core.patients
),

stays as (
    select patient_id from core.stays
),

shared as (
    select patient_id
    from quality.violations
    where rule_id = 'patients_one_person_per_record'
),

delivered as (
    select patient_id from front_pages
    union
    select patient_id from stays
),

record_numbers as (
    select delivered.patient_id
    from delivered
    anti join shared on delivered.patient_id = shared.patient_id
),

identified as (
    select
        record_numbers.patient_id,
        min(front_pages.national_id) filter (where front_pages.national_id_valid) as national_id
    from record_numbers
    left join front_pages on record_numbers.patient_id = front_pages.patient_id
    group by record_numbers.patient_id
),

linked as (
    select
        patient_id,
        national_id,
        min(patient_id) over (partition by coalesce(national_id, patient_id)) as person_id
    from identified
),

described as (
    select
        linked.person_id,
        mode(
            front_pages.national_id_sex order by front_pages.national_id_sex
        ) filter (where front_pages.national_id_valid and front_pages.national_id_sex <> 'unknown') as encoded_sex,
        mode(
            front_pages.national_id_birth_month order by front_pages.national_id_birth_month
        ) filter (where front_pages.national_id_valid) as encoded_birth_month,
        mode(
            front_pages.sex order by front_pages.sex
        ) filter (where front_pages.sex <> 'unknown') as stated_sex,
        mode(front_pages.birth_month order by front_pages.birth_month) as stated_birth_month
    from linked
    inner join front_pages on linked.patient_id = front_pages.patient_id
    group by linked.person_id
)

select
    linked.patient_id,
    linked.person_id,
    linked.national_id,
    coalesce(described.encoded_sex, described.stated_sex, 'unknown') as sex,
    coalesce(described.encoded_birth_month, described.stated_birth_month) as birth_month
from linked
left join described on linked.person_id = described.person_id
