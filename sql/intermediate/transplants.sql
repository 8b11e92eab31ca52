-- Liver transplants: the procedure log first, then the front page's coded procedure, the executed order and the day
-- told on follow-up. Where none of them speaks, weeks of tacrolimus date the transplant by the first order, and the
-- code of a transplanted liver places it between two stays; both are marked as inferred, and a decision may refuse it.
-- one row per person with a transplant
with parameters as (
    select max(value) filter (where parameter = 'tacrolimus_days') as tacrolimus_days
    from rules.parameters
),

persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

stays as (
    select
        person_id,
        stay_id,
        admitted_on,
        lag(discharged_on) over (partition by person_id order by admitted_at, stay_id) as last_discharged_on
    from intermediate.stays
),

refused as (
    select person_id
    from intermediate.decisions
    where question = 'transplant_missing' and choice = 'not_transplanted'
),

coded as (
    select
        stay_id,
        _row_id
    from intermediate.diagnoses
    where codelist = 'liver_transplant_status'
),

performed as (
    select
        persons.person_id,
        procedures.origin as source,
        cast(procedures.started_at as date) as from_on,
        cast(procedures.started_at as date) as to_on,
        procedures._row_id
    from core.procedures as procedures
    inner join persons on procedures.patient_id = persons.patient_id
    where procedures.category = 'liver_transplant'
),

ordered as (
    select
        persons.person_id,
        'order' as source,
        cast(coalesce(medications.executed_at, medications.started_at) as date) as from_on,
        cast(coalesce(medications.executed_at, medications.started_at) as date) as to_on,
        medications._row_id
    from core.medications as medications
    inner join persons on medications.patient_id = persons.patient_id
    where medications.drug_class = 'liver_transplant' and medications.status = 'executed'
),

told as (
    select
        persons.person_id,
        'follow_up' as source,
        followups.transplanted_on as from_on,
        coalesce(followups.transplanted_to, followups.transplanted_on) as to_on,
        followups._row_id
    from core.followups as followups
    inner join persons on followups.patient_id = persons.patient_id
    where followups.transplanted_on is not null
),

suppressed as (
    select
        persons.person_id,
        'tacrolimus' as source,
        cast(min(medications.started_at) as date) as from_on,
        cast(min(medications.started_at) as date) as to_on,
        min(medications._row_id) as _row_id
    from core.medications as medications
    inner join persons on medications.patient_id = persons.patient_id
    cross join parameters
    where medications.drug_class = 'tacrolimus' and medications.status in ('executed', 'stopped')
    group by persons.person_id
    having
        date_diff(
            'day', min(medications.started_at), max(coalesce(medications.stopped_at, medications.started_at))
        ) >= max(parameters.tacrolimus_days)
),

transplanted_before as (
    select
        stays.person_id,
        'status_code' as source,
        stays.last_discharged_on as from_on,
        stays.admitted_on as to_on,
        coded._row_id
    from coded
    inner join stays on coded.stay_id = stays.stay_id
),

inferred as (
    select * from suppressed
    union all
    select * from transplanted_before
),

statements as (
    select * from performed
    union all
    select * from ordered
    union all
    select * from told
    union all
    select inferred.*
    from inferred
    anti join refused on inferred.person_id = refused.person_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by person_id
            order by
                list_position(
                    ['procedure_log', 'device_record', 'front_page', 'order', 'follow_up', 'tacrolimus', 'status_code'],
                    source
                ),
                to_on,
                _row_id
        ) as place
    from statements
    where to_on is not null
),

gathered as (
    select
        person_id,
        list(_row_id order by place) as row_ids
    from ranked
    group by person_id
)

select
    ranked.person_id,
    ranked.source,
    ranked.source in ('tacrolimus', 'status_code') as is_inferred,
    ranked.from_on,
    ranked.to_on,
    gathered.row_ids
from ranked
inner join gathered on ranked.person_id = gathered.person_id
where ranked.place = 1
