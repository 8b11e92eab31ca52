-- Diagnoses that a codelist of the protocol knows, by code or by the words of their label.
-- one row per listed diagnosis and codelist
with codelists as (
    select
        codelist,
        system,
        code,
        match
    from rules.codelists
    where starts_with(system, 'ICD-')
),

stays as (
    select
        stay_id,
        person_id,
        admitted_at
    from intermediate.stays
),

diagnoses as (
    select
        _row_id,
        stay_id,
        code_system,
        code,
        label,
        present_on_admission
    from core.diagnoses
),

spellings as (
    select distinct
        code_system,
        code,
        label
    from diagnoses
),

known as (
    select distinct
        spellings.code_system,
        spellings.code,
        spellings.label,
        codelists.codelist
    from spellings
    inner join codelists
        on
            starts_with(spellings.code_system, codelists.system)
            and case codelists.match
                when 'prefix' then starts_with(spellings.code, codelists.code)
                when 'text' then contains(spellings.label, codelists.code)
                else spellings.code = codelists.code
            end
)

select
    stays.person_id,
    diagnoses.stay_id,
    stays.admitted_at,
    known.codelist,
    diagnoses.code,
    diagnoses.label,
    diagnoses.present_on_admission,
    diagnoses._row_id
from diagnoses
inner join stays on diagnoses.stay_id = stays.stay_id
inner join known
    on
        diagnoses.code_system = known.code_system
        and diagnoses.code is not distinct from known.code
        and diagnoses.label is not distinct from known.label
