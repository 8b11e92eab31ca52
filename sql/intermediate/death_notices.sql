-- Every statement of a person's death, with the days between which it places the death and its rank among the sources:
-- the source itself, hospital record, assessment, front page, disease control, follow-up, household register.
-- A household register may be late and a follow-up may know the month only: such a death lies between the last sign of
-- life and the last possible day. A follow-up date that is after the call, or before signs of life from the hospital,
-- is a misprint: the death stands, its day is unknown up to the call.
-- one row per statement
with parameters as (
    select max(value) filter (where parameter = 'death_agreement_days') as agreement_days
    from rules.parameters
),

persons as (
    select
        patient_id,
        person_id,
        national_id
    from intermediate.persons
),

identities as (
    select distinct
        national_id,
        person_id
    from persons
    where national_id is not null
),

signs as (
    select
        person_id,
        seen_on,
        kind
    from intermediate.life_signs
),

registered as (
    select
        deaths._row_id,
        coalesce(persons.person_id, identities.person_id) as person_id,
        deaths.information_source as source,
        deaths.died_from,
        deaths.died_to,
        deaths.died_precision,
        deaths.died_to as known_on
    from core.deaths as deaths
    left join persons on deaths.patient_id = persons.patient_id
    left join identities on deaths.national_id = identities.national_id
),

assessed as (
    select
        min(assessments._row_id) as _row_id,
        persons.person_id,
        'assessment' as source,
        cast(assessments.assessed_at as date) as died_from,
        cast(assessments.assessed_at as date) as died_to,
        'day' as died_precision,
        cast(assessments.assessed_at as date) as known_on
    from core.assessments as assessments
    inner join persons on assessments.patient_id = persons.patient_id
    where assessments.assessment_type = 'death'
    group by all
),

discharged as (
    select
        _row_id,
        person_id,
        'front_page' as source,
        discharged_on as died_from,
        discharged_on as died_to,
        'day' as died_precision,
        discharged_on as known_on
    from intermediate.stays
    where has_died
),

called as (
    select
        followups._row_id,
        persons.person_id,
        'follow_up' as source,
        followups.died_from,
        followups.died_to,
        followups.died_precision,
        coalesce(followups.called_on, followups.died_to) as known_on
    from core.followups as followups
    inner join persons on followups.patient_id = persons.patient_id
    where followups.vital_status = 'dead'
),

notices as (
    select * from registered
    union all
    select * from assessed
    union all
    select * from discharged
    union all
    select * from called
),

hospital_signs as (
    select
        person_id,
        max(seen_on) as seen_on
    from signs
    where kind not in ('follow-up', 'infusion')
    group by person_id
),

checked as (
    select
        notices.*,
        notices.source = 'follow_up' and (
            notices.died_to is null
            or notices.died_from > notices.known_on
            or notices.died_to < hospital_signs.seen_on - cast(parameters.agreement_days as integer)
        ) as is_misdated
    from notices
    cross join parameters
    left join hospital_signs on notices.person_id = hospital_signs.person_id
    where notices.person_id is not null
),

bounded as (
    select
        * exclude (died_from, died_to),
        case
            when is_misdated then null
            when source = 'household_register' then null
            else died_from
        end as died_from,
        case when is_misdated then known_on else least(died_to, coalesce(known_on, died_to)) end as died_to
    from checked
),

seen_before as (
    select
        bounded._row_id,
        bounded.source,
        max(signs.seen_on) as seen_on
    from bounded
    inner join signs on bounded.person_id = signs.person_id and bounded.died_to >= signs.seen_on
    where bounded.died_from is distinct from bounded.died_to
    group by bounded._row_id, bounded.source
)

select
    bounded.person_id,
    bounded.source,
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
        bounded.source
    ) as source_rank,
    case
        when bounded.died_from = bounded.died_to then bounded.died_from
        else least(greatest(bounded.died_from, seen_before.seen_on), bounded.died_to)
    end as died_from,
    bounded.died_to,
    bounded.died_precision,
    coalesce(bounded.is_misdated, false) as is_misdated,
    bounded._row_id
from bounded
left join seen_before on bounded._row_id = seen_before._row_id and bounded.source = seen_before.source
where bounded.died_to is not null
