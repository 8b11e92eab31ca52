-- Signs of life: every day on which the record itself shows a person alive, whatever the kind.
-- A follow-up row counts for the day its statement is true for, or else for the day of a call that was answered; a call
-- that reached nobody says nothing.
-- Discharge is a sign of life unless the stay ended in death. Reports and registrations are not signs of life, and what
-- is dated far outside the stay it is booked on is misdated and none either.
-- one row per person, day and kind
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

stays as (
    select
        _row_id,
        patient_id,
        admitted_on,
        discharged_on,
        has_died
    from intermediate.stays
),

misdated as (
    select distinct _row_id
    from quality.violations
    where rule_id in ('labs_collected_in_stay', 'assessments_in_stay', 'procedures_in_stay')
),

labs as (
    select
        labs._row_id,
        labs.patient_id,
        labs.collected_at
    from intermediate.labs as labs
    anti join misdated on labs._row_id = misdated._row_id
),

assessments as (
    select
        assessments._row_id,
        assessments.patient_id,
        assessments.assessed_at
    from core.assessments as assessments
    anti join misdated on assessments._row_id = misdated._row_id
    where assessments.assessment_type is distinct from 'death'
),

procedures as (
    select
        procedures._row_id,
        procedures.patient_id,
        procedures.started_at
    from core.procedures as procedures
    anti join misdated on procedures._row_id = misdated._row_id
),

signs as (
    select
        patient_id,
        admitted_on as seen_on,
        'admission' as kind,
        _row_id
    from stays
    union all
    select
        patient_id,
        discharged_on as seen_on,
        'discharge' as kind,
        _row_id
    from stays
    where not has_died
    union all
    select
        patient_id,
        cast(collected_at as date) as seen_on,
        'laboratory' as kind,
        _row_id
    from labs
    union all
    select
        patient_id,
        cast(measured_at as date) as seen_on,
        'vital signs' as kind,
        _row_id
    from core.vitals
    union all
    select
        patient_id,
        cast(assessed_at as date) as seen_on,
        'assessment' as kind,
        _row_id
    from assessments
    union all
    select
        patient_id,
        cast(examined_at as date) as seen_on,
        'imaging' as kind,
        _row_id
    from core.imaging
    union all
    select
        patient_id,
        cast(started_at as date) as seen_on,
        'procedure' as kind,
        _row_id
    from procedures
    union all
    select
        patient_id,
        cast(coalesce(executed_at, started_at) as date) as seen_on,
        'medication' as kind,
        _row_id
    from core.medications
    where status in ('executed', 'stopped')
    union all
    select
        patient_id,
        infused_on as seen_on,
        'infusion' as kind,
        _row_id
    from core.infusions
    union all
    select
        patient_id,
        coalesce(
            informed_on, case when reached = 'yes' and informant is distinct from 'nobody' then called_on end
        ) as seen_on,
        'follow-up' as kind,
        _row_id
    from core.followups
    where
        vital_status in ('alive', 'alive_after_transplant')
        and not coalesce(mode = 'telephone' and reached is distinct from 'yes' and informant = 'nobody', false)
)

select
    persons.person_id,
    signs.seen_on,
    signs.kind,
    min(signs._row_id) as _row_id
from signs
inner join persons on signs.patient_id = persons.patient_id
where signs.seen_on is not null
group by persons.person_id, signs.seen_on, signs.kind
