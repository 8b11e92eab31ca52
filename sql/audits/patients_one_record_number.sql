-- Front pages of a further record number of a person, told by the same valid identity number. The record number with
-- the first admission stands for the person; one that two persons share links nobody.
-- one row per front page of a further record number
with standing as (
    select
        patient_id,
        first_value(patient_id) over (
            partition by national_id order by first_admitted_at asc nulls last, patient_id asc
        ) as person_id
    from audit.record_numbers
    where national_id is not null
)

select
    patients._row_id,
    concat('the valid identity number of record number ', standing.person_id) as observed,
    'person_id' as column_name,
    standing.person_id as became,
    'The same identity number, with a right check character, stands on front pages of both record numbers.' as evidence,
    'certain' as confidence
from staging.patients as patients
inner join standing on patients.patient_id = standing.patient_id
where standing.patient_id <> standing.person_id
