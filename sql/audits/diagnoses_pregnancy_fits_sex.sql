-- Diagnoses of pregnancy, childbirth or lactation of a man. The sex encoded in a valid identity number stands before
-- the stated one.
-- one row per such diagnosis
with codelists as (
    select
        system,
        code,
        match
    from rules.codelists
    where codelist = 'pregnancy' and starts_with(system, 'ICD-')
),

men as (
    select patient_id
    from audit.record_numbers
    where sex = 'male'
)

select distinct
    diagnoses._row_id,
    concat_ws(' ', diagnoses.code, diagnoses.label, 'of a man') as observed
from staging.diagnoses as diagnoses
inner join men on diagnoses.patient_id = men.patient_id
inner join codelists
    on
        starts_with(diagnoses.code_system, codelists.system)
        and case codelists.match
            when 'prefix' then starts_with(diagnoses.code, codelists.code)
            when 'text' then contains(diagnoses.label, codelists.code)
            else diagnoses.code = codelists.code
        end
