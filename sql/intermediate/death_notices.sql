-- Every statement of a person's death, with the days between which it places the death and its rank among the sources:
-- the source itself, hospital record, assessment, front page, disease control, follow-up, household register.
-- A household register may be late and a follow-up may know the month only: such a death lies between the last sign of
-- life and the last possible day. A day that the gate found impossible is a misprint: the death stands, its day is
-- unknown up to the day it was told; or, by decision, its year is off by one, or the statement is not believed. A death
-- that only a remark tells of is one by decision.
-- one row per statement
with persons as (
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
        seen_on
    from intermediate.life_signs
),

decisions as (
    select
        person_id,
        max(choice) filter (where question = 'death_date_year_typo') as on_misprint,
        max(choice) filter (where question = 'death_in_note_only') as on_remark
    from intermediate.decisions
    group by person_id
),

misprints as (
    select distinct _row_id
    from quality.violations
    where rule_id in ('followups_death_date_possible', 'deaths_date_possible')
),

remarks as (
    select distinct _row_id
    from quality.violations
    where rule_id = 'followups_death_not_in_note'
),

registered as (
    select
        deaths._row_id,
        coalesce(persons.person_id, identities.person_id) as person_id,
        deaths.information_source as source,
        deaths.died_from,
        deaths.died_to,
        deaths.died_precision,
        coalesce(deaths.registered_on, deaths.died_to) as known_on
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

remarked as (
    select
        followups._row_id,
        persons.person_id,
        'follow_up' as source,
        cast(null as date) as died_from,
        followups.called_on as died_to,
        cast(null as varchar) as died_precision,
        followups.called_on as known_on
    from core.followups as followups
    inner join persons on followups.patient_id = persons.patient_id
    inner join remarks on followups._row_id = remarks._row_id
    inner join decisions on persons.person_id = decisions.person_id
    where decisions.on_remark = 'dead'
),

notices as (
    select * from registered
    union all
    select * from assessed
    union all
    select * from discharged
    union all
    select * from called
    union all
    select * from remarked
),

checked as (
    select
        notices.*,
        if(misprints._row_id is null, 'as_stated', coalesce(decisions.on_misprint, 'other_source')) as reading
    from notices
    left join misprints on notices._row_id = misprints._row_id
    left join decisions on notices.person_id = decisions.person_id
    where notices.person_id is not null
),

corrected as (
    select
        * exclude (died_from, died_to),
        case
            when reading <> 'year_corrected' then died_from
            when died_from > known_on then cast(died_from - interval '1 year' as date)
            else cast(died_from + interval '1 year' as date)
        end as died_from,
        case
            when reading <> 'year_corrected' then died_to
            when died_from > known_on then cast(died_to - interval '1 year' as date)
            else cast(died_to + interval '1 year' as date)
        end as died_to
    from checked
    where reading <> 'not_dead'
),

bounded as (
    select
        * exclude (died_from, died_to),
        reading = 'other_source' or died_to is null as is_misdated,
        case when reading <> 'other_source' and source <> 'household_register' then died_from end as died_from,
        case
            when reading = 'other_source' or died_to is null then known_on
            when source = 'follow_up' then least(died_to, coalesce(known_on, died_to))
            else died_to
        end as died_to
    from corrected
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
    bounded.is_misdated,
    bounded._row_id
from bounded
left join seen_before on bounded._row_id = seen_before._row_id and bounded.source = seen_before.source
where bounded.died_to is not null
