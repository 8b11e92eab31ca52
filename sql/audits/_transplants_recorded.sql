-- Persons whose liver transplant is written down as one: procedure, executed order, or a day told on follow-up. A
-- record number of the same name, sex and birth month may be the same person's: a transplant there is a record too.
-- one row per record number of such a person
with persons as (
    select distinct
        patient_id,
        person_id,
        name_id,
        sex,
        birth_month
    from staging.patients
),

recorded as (
    select patient_id from staging.procedures
    where category = 'liver_transplant'
    union
    select patient_id from staging.medications
    where drug_class = 'liver_transplant' and status = 'executed'
    union
    select patient_id from staging.followups
    where transplanted_to is not null
),

transplanted as (
    select persons.*
    from recorded
    inner join persons on recorded.patient_id = persons.patient_id
)

select persons.patient_id
from transplanted
inner join persons on transplanted.person_id = persons.person_id
union
select persons.patient_id
from transplanted
inner join persons
    on
        transplanted.name_id = persons.name_id
        and transplanted.sex = persons.sex
        and transplanted.birth_month = persons.birth_month
