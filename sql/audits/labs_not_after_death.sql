-- Rows taken after the day of death. The death is that of the highest source: death record of the hospital, then front
-- page, then notices of disease control; a call or a household register dates too loosely to set a row aside.
-- one row per violating row
with claims as (
    select
        deaths.patient_id,
        deaths.died_to as died_on,
        case deaths.information_source
            when 'hospital_record' then 'a'
            when 'source_system' then 'a'
            when 'disease_control' then 'c'
        end as rank
    from staging.deaths as deaths
    where deaths.information_source in ('hospital_record', 'source_system', 'disease_control')
    union all
    select
        stays.patient_id,
        cast(stays.discharged_at as date) as died_on,
        'b' as rank
    from staging.stays as stays
    where stays.disposition = 'died' and stays.discharged_at >= stays.admitted_at
),

deaths as (
    select
        patient_id,
        min_by(died_on, rank) as died_on
    from claims
    where died_on is not null and patient_id is not null
    group by patient_id
)

select
    rows._row_id,
    concat(rows.collected_at, ' after the death on ', deaths.died_on) as observed
from staging.labs as rows
inner join deaths on rows.patient_id = deaths.patient_id
where cast(rows.collected_at as date) > deaths.died_on
