-- Every dated statement of a death: notices, assessments of death, front pages of stays that ended in it, follow-ups. A
-- notice without record number belongs to the persons whose front pages show its identity number; a record number that
-- two persons share states nothing. `impossible` says why a day cannot be right: after the call that tells it, before
-- the first infusion of somebody who is followed up, before a later admission.
-- one row per statement of death and record number
with front_pages as (
    select
        patient_id,
        person_id,
        case when national_id_valid then national_id end as national_id
    from staging.patients
),

persons as (
    select
        front_pages.patient_id,
        min(front_pages.person_id) as person_id,
        min(front_pages.national_id) as national_id
    from front_pages
    anti join audit.shared_record_numbers as shared on front_pages.patient_id = shared.patient_id
    group by front_pages.patient_id
),

identities as (
    select
        national_id,
        min(person_id) as person_id
    from persons
    where national_id is not null
    group by national_id
),

notified as (
    select
        coalesce(persons.person_id, identities.person_id) as person_id,
        'deaths' as table_name,
        deaths._row_id as statement_row_id,
        deaths.information_source as source,
        coalesce(deaths.died_from, deaths.died_to) as died_from,
        deaths.died_to,
        deaths.died_precision,
        null as told_on
    from staging.deaths as deaths
    left join persons on deaths.patient_id = persons.patient_id
    left join identities on deaths.national_id = identities.national_id
),

assessed as (
    select
        persons.person_id,
        'assessments' as table_name,
        min(assessments._row_id) as statement_row_id,
        'assessment' as source,
        cast(assessments.assessed_at as date) as died_from,
        cast(assessments.assessed_at as date) as died_to,
        'day' as died_precision,
        null as told_on
    from staging.assessments as assessments
    inner join persons on assessments.patient_id = persons.patient_id
    where assessments.assessment_type = 'death'
    group by all
),

discharged as (
    select
        persons.person_id,
        'stays' as table_name,
        stays._row_id as statement_row_id,
        'front_page' as source,
        cast(stays.discharged_at as date) as died_from,
        cast(stays.discharged_at as date) as died_to,
        'day' as died_precision,
        null as told_on
    from staging.stays as stays
    inner join persons on stays.patient_id = persons.patient_id
    where (stays.disposition = 'died' or stays.outcome_stated = 'died') and stays.discharged_at >= stays.admitted_at
),

told as (
    select
        persons.person_id,
        'followups' as table_name,
        followups._row_id as statement_row_id,
        'follow_up' as source,
        followups.died_from,
        followups.died_to,
        followups.died_precision,
        followups.called_on as told_on
    from staging.followups as followups
    inner join persons on followups.patient_id = persons.patient_id
    where followups.vital_status = 'dead'
),

statements as (
    select * from notified
    union all
    select * from assessed
    union all
    select * from discharged
    union all
    select * from told
),

admissions as (
    select
        persons.person_id,
        max(cast(stays.admitted_at as date)) as last_admitted_on
    from staging.stays as stays
    inner join persons on stays.patient_id = persons.patient_id
    where stays.discharged_at >= stays.admitted_at
    group by persons.person_id
),

infusions as (
    select
        persons.person_id,
        min(infusions.infused_on) as first_infused_on
    from staging.infusions as infusions
    inner join persons on infusions.patient_id = persons.patient_id
    group by persons.person_id
)

select
    persons.patient_id,
    statements.table_name,
    statements.statement_row_id,
    statements.source,
    list_position(
        [
            'source_system',
            'hospital_record',
            'assessment',
            'front_page',
            'disease_control',
            'follow_up',
            'household_register',
        ],
        statements.source
    ) as source_rank,
    statements.died_from,
    statements.died_to,
    statements.died_precision,
    case
        when statements.died_from > statements.told_on then concat('after the call of ', statements.told_on)
        when statements.source = 'follow_up' and statements.died_to < infusions.first_infused_on
            then concat('before the first infusion on ', infusions.first_infused_on)
        when statements.died_to < admissions.last_admitted_on
            then concat('before the admission of ', admissions.last_admitted_on)
    end as impossible
from statements
inner join persons on statements.person_id = persons.person_id
left join admissions on statements.person_id = admissions.person_id
left join infusions on statements.person_id = infusions.person_id
where statements.died_to is not null
