-- Statements that somebody who was reached is alive, true for a day after the recorded death. The death is that of the
-- highest source, follow-up itself left out.
-- one row per violating call
with tolerances as (
    select to_days(cast(max(value) filter (where item = 'death_agreement_days') as integer)) as agreement
    from rules.definitions
    where definition = 'tolerances'
),

identities as (
    select distinct
        patient_id,
        if(national_id_valid, national_id, null) as national_id
    from staging.patients
),

notices as (
    select
        patient_id,
        died_to,
        case information_source when 'hospital_record' then 'a' when 'household_register' then 'f' else 'd' end as rank
    from staging.deaths
    union all
    select
        identities.patient_id,
        deaths.died_to,
        case deaths.information_source
            when 'hospital_record' then 'a' when 'household_register' then 'f' else 'd'
        end as rank
    from staging.deaths as deaths
    inner join identities on deaths.national_id = identities.national_id
    union all
    select
        patient_id,
        cast(assessed_at as date) as died_to,
        'b' as rank
    from staging.assessments
    where assessment_type = 'death'
    union all
    select
        patient_id,
        cast(discharged_at as date) as died_to,
        'c' as rank
    from staging.stays
    where disposition = 'died' and discharged_at >= admitted_at
),

admissions as (
    select
        patient_id,
        max(cast(admitted_at as date)) as last_admitted_on
    from staging.stays
    group by patient_id
),

believed as (
    select
        notices.patient_id,
        notices.died_to,
        min_by(notices.died_to, concat(notices.rank, notices.died_to)) over (
            partition by notices.patient_id
        ) as first_died_to
    from notices
    left join admissions on notices.patient_id = admissions.patient_id
    where
        notices.patient_id is not null
        and notices.died_to is not null
        and coalesce(admissions.last_admitted_on <= notices.died_to, true)
),

deaths as (
    select
        believed.patient_id,
        max(believed.died_to) as died_to
    from believed
    cross join tolerances
    where believed.died_to <= believed.first_died_to + tolerances.agreement
    group by believed.patient_id
)

select
    followups._row_id,
    concat('alive on ', coalesce(followups.informed_on, followups.called_on), ', death by ', deaths.died_to) as observed
from staging.followups as followups
inner join deaths on followups.patient_id = deaths.patient_id
where
    followups.vital_status in ('alive', 'alive_after_transplant')
    and followups.reached = 'yes'
    and coalesce(followups.informant, '') <> 'nobody'
    and coalesce(followups.informed_on, followups.called_on) > deaths.died_to
