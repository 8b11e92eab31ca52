-- Codes of a transplanted liver in somebody whose transplant nobody recorded.
-- one row per violating diagnosis
with codelists as (
    select
        system,
        code
    from rules.codelists
    where codelist = 'liver_transplant_status'
)

select
    diagnoses._row_id,
    concat('code ', min(diagnoses.code)) as observed
from staging.diagnoses as diagnoses
inner join codelists
    on starts_with(diagnoses.code_system, codelists.system) and starts_with(diagnoses.code, codelists.code)
anti join audit.transplants_recorded as recorded on diagnoses.patient_id = recorded.patient_id
group by diagnoses._row_id
