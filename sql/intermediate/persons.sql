-- Persons: record numbers joined into one person by the gate, which goes by an equal and valid identity number, or by a
-- signed decision, which joins a record number with the earlier one of the same name and birth month. Sex and birth
-- month encoded in a valid identity number stand before the stated ones unless it was decided otherwise; among stated
-- ones the most frequent holds. Where it was decided that the stated age holds, there is no birth month.
-- one row per record number (patient_id)
with decided as (
    select
        patient_id,
        bool_or(question = 'same_person' and in_force = 'linked') as is_linked,
        bool_or(question = 'sex_or_birth' and in_force = 'stated') as is_stated,
        bool_or(question = 'age_of_majority' and in_force = 'stated') as is_age_stated
    from quality.cases
    group by patient_id
),

front_pages as (
    select
        patient_id,
        person_id,
        case when national_id_valid then national_id end as national_id,
        case when national_id_valid then nullif(national_id_sex, 'unknown') end as encoded_sex,
        case when national_id_valid then national_id_birth_month end as encoded_birth_month,
        name_id,
        nullif(sex, 'unknown') as stated_sex,
        birth_month as stated_birth_month
    from core.patients
),

admissions as (
    select
        patient_id,
        min(admitted_at) as first_admitted_at
    from core.stays
    group by patient_id
),

record_numbers as (
    select patient_id from front_pages
    union
    select patient_id from admissions
),

proved as (
    select
        record_numbers.patient_id,
        coalesce(min(front_pages.person_id), record_numbers.patient_id) as person_id,
        min(front_pages.national_id) as national_id,
        min(admissions.first_admitted_at) as first_admitted_at
    from record_numbers
    left join front_pages on record_numbers.patient_id = front_pages.patient_id
    left join admissions on record_numbers.patient_id = admissions.patient_id
    group by record_numbers.patient_id
),

persons as (
    select
        person_id,
        min(national_id) as national_id,
        min(first_admitted_at) as first_admitted_at
    from proved
    group by person_id
),

described as (
    select distinct
        proved.person_id,
        front_pages.name_id,
        coalesce(front_pages.encoded_birth_month, front_pages.stated_birth_month) as birth_month
    from proved
    inner join front_pages on proved.patient_id = front_pages.patient_id
),

joined as (
    select
        later.person_id,
        arg_min(earlier.person_id, (earlier.first_admitted_at, earlier.person_id)) as earlier_person_id
    from decided
    inner join persons as later on decided.patient_id = later.person_id and decided.is_linked
    inner join described as later_described on later.person_id = later_described.person_id
    inner join described as earlier_described
        on
            later_described.name_id = earlier_described.name_id
            and later_described.birth_month = earlier_described.birth_month
    inner join persons as earlier on earlier_described.person_id = earlier.person_id
    where
        (later.national_id is null or earlier.national_id is null)
        and (later.first_admitted_at, later.person_id) > (earlier.first_admitted_at, earlier.person_id)
    group by later.person_id
),

linked as (
    select
        proved.patient_id,
        coalesce(joined.earlier_person_id, proved.person_id) as person_id,
        coalesce(decided.is_stated, false) as is_stated,
        coalesce(decided.is_age_stated, false) as is_age_stated
    from proved
    left join joined on proved.person_id = joined.person_id
    left join decided on proved.patient_id = decided.patient_id
),

summed as (
    select
        linked.person_id,
        min(front_pages.national_id) as national_id,
        mode(front_pages.encoded_sex order by front_pages.encoded_sex) as encoded_sex,
        mode(front_pages.encoded_birth_month order by front_pages.encoded_birth_month) as encoded_birth_month,
        mode(front_pages.stated_sex order by front_pages.stated_sex) as stated_sex,
        mode(front_pages.stated_birth_month order by front_pages.stated_birth_month) as stated_birth_month,
        bool_or(linked.is_stated) as is_stated,
        bool_or(linked.is_age_stated) as is_age_stated
    from linked
    left join front_pages on linked.patient_id = front_pages.patient_id
    group by linked.person_id
)

select
    linked.patient_id,
    linked.person_id,
    summed.national_id,
    case
        when summed.is_stated then coalesce(summed.stated_sex, summed.encoded_sex, 'unknown')
        else coalesce(summed.encoded_sex, summed.stated_sex, 'unknown')
    end as sex,
    case
        when summed.is_age_stated then null
        when summed.is_stated then coalesce(summed.stated_birth_month, summed.encoded_birth_month)
        else coalesce(summed.encoded_birth_month, summed.stated_birth_month)
    end as birth_month
from linked
inner join summed on linked.person_id = summed.person_id
