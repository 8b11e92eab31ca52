-- Persons whose liver transplant is written down as one: procedure, executed order, or a day told on follow-up.
-- one row per record number of such a person
with persons as (
    select distinct
        patient_id,
        person_id
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
)

select distinct own.patient_id
from recorded
inner join persons on recorded.patient_id = persons.patient_id
inner join persons as own on persons.person_id = own.person_id
