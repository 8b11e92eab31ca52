-- Stays that were written as one front page, taken apart again by the rows that other tables book on each of them: the
-- first ends, for all that is known, with the last row booked on it; one without a front page lies between its first
-- row and the discharge. The front page's death belongs to the last of them.
-- one row per stay of a merged front page
with front_pages as (
    select stays.*
    from core.stays as stays
    semi join quality.violations as violations
        on stays._row_id = violations._row_id and violations.rule_id = 'stays_merged'
),

whole as (
    select stay_id
    from core.stays
),

events as (
    select
        stay_id,
        patient_id,
        collected_at as happened_at
    from core.labs
    union all
    select
        stay_id,
        patient_id,
        coalesce(executed_at, started_at, ordered_at) as happened_at
    from core.medications
    union all
    select
        stay_id,
        patient_id,
        started_at as happened_at
    from core.procedures
    union all
    select
        stay_id,
        patient_id,
        assessed_at as happened_at
    from core.assessments
    union all
    select
        stay_id,
        patient_id,
        measured_at as happened_at
    from core.vitals
    union all
    select
        stay_id,
        patient_id,
        examined_at as happened_at
    from core.imaging
),

spans as (
    select
        front_pages._row_id,
        events.stay_id,
        min(events.happened_at) as first_at,
        max(events.happened_at) as last_at
    from front_pages
    inner join events
        on
            front_pages.patient_id = events.patient_id
            and events.happened_at between front_pages.admitted_at and front_pages.discharged_at + interval '1 day'
    group by front_pages._row_id, events.stay_id
),

others as (
    select
        spans.*,
        row_number() over (partition by spans._row_id order by spans.first_at desc, spans.stay_id desc) = 1 as is_last
    from spans
    anti join whole on spans.stay_id = whole.stay_id
    where spans.stay_id is not null
),

firsts as (
    select
        _row_id,
        min(first_at) as next_at
    from others
    group by _row_id
)

select
    front_pages.patient_id,
    front_pages.stay_id,
    true as has_front_page,
    front_pages.admitted_at,
    front_pages.admitted_precision,
    coalesce(spans.last_at, firsts.next_at) as discharged_at,
    'minute' as discharged_precision,
    case when front_pages.disposition = 'died' then 'unknown' else front_pages.disposition end as disposition,
    nullif(front_pages.outcome_stated, 'died') as outcome_stated,
    front_pages._row_id
from front_pages
inner join firsts on front_pages._row_id = firsts._row_id
left join spans on front_pages._row_id = spans._row_id and front_pages.stay_id = spans.stay_id
union all
select
    front_pages.patient_id,
    others.stay_id,
    false as has_front_page,
    others.first_at as admitted_at,
    'minute' as admitted_precision,
    case when others.is_last then front_pages.discharged_at else others.last_at end as discharged_at,
    case when others.is_last then front_pages.discharged_precision else 'minute' end as discharged_precision,
    case when others.is_last and front_pages.disposition = 'died' then 'died' else 'unknown' end as disposition,
    case when others.is_last and front_pages.outcome_stated = 'died' then 'died' end as outcome_stated,
    front_pages._row_id
from others
inner join front_pages on others._row_id = front_pages._row_id
