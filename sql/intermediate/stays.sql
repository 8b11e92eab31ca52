-- Stays of persons, with the episode each belongs to, as the gate joined them. Two stays that were written as one front
-- page stand apart again, and the end of the first is inferred: its front page does not know it.
-- one row per stay
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

merged as (
    select * from intermediate.merged_stays
),

front_pages as (
    select * from core.stays
),

stays as (
    select
        front_pages.patient_id,
        front_pages.stay_id,
        front_pages.episode_stay_id,
        front_pages.stay_no,
        front_pages.admitted_at,
        front_pages.admitted_precision,
        case when merged.stay_id is null then front_pages.discharged_at else merged.discharged_at end as discharged_at,
        coalesce(merged.discharged_precision, front_pages.discharged_precision) as discharged_precision,
        merged.stay_id is not null as is_end_inferred,
        front_pages.age_years_stated,
        front_pages.ward_in,
        front_pages.ward_out,
        coalesce(merged.disposition, front_pages.disposition) as disposition,
        case
            when merged.stay_id is null then front_pages.outcome_stated else merged.outcome_stated
        end as outcome_stated,
        front_pages.form,
        front_pages._row_id
    from front_pages
    left join merged on front_pages._row_id = merged._row_id and merged.has_front_page
    union all by name
    select
        patient_id,
        stay_id,
        admitted_at,
        admitted_precision,
        discharged_at,
        discharged_precision,
        true as is_end_inferred,
        disposition,
        outcome_stated,
        _row_id
    from merged
    where not has_front_page
)

select
    persons.person_id,
    stays.patient_id,
    stays.stay_id,
    coalesce(stays.episode_stay_id, stays.stay_id) as episode_id,
    stays.stay_no,
    stays.admitted_at,
    stays.admitted_precision,
    stays.discharged_at,
    stays.discharged_precision,
    stays.is_end_inferred,
    cast(stays.admitted_at as date) as admitted_on,
    cast(stays.discharged_at as date) as discharged_on,
    stays.age_years_stated,
    stays.ward_in,
    stays.ward_out,
    stays.disposition,
    coalesce(stays.disposition = 'died' or stays.outcome_stated = 'died', false) as has_died,
    stays.form,
    stays._row_id
from stays
inner join persons on stays.patient_id = persons.patient_id
