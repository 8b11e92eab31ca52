-- Episodes: stays that belong together taken as one, from the first admission to the last discharge.
-- one row per episode
with stays as (
    select * from intermediate.stays
),

joined as (
    select
        person_id,
        episode_id,
        min(admitted_at) as admitted_at,
        max(discharged_at) as discharged_at,
        bool_or(admitted_precision = 'day' or discharged_precision = 'day') as is_dated_only,
        bool_or(is_end_inferred) as is_end_inferred,
        arg_min(age_years_stated, (admitted_at, stay_id)) filter (where admitted_at is not null) as age_years_stated,
        arg_max(disposition, (admitted_at, stay_id)) filter (where admitted_at is not null) as disposition,
        arg_max(has_died, (admitted_at, stay_id)) filter (where admitted_at is not null) as has_died,
        list(stay_id order by admitted_at, stay_id) as stay_ids,
        list(_row_id order by admitted_at, _row_id) as row_ids
    from stays
    group by person_id, episode_id
)

select
    person_id,
    episode_id,
    admitted_at,
    discharged_at,
    is_dated_only,
    is_end_inferred,
    cast(admitted_at as date) as admitted_on,
    cast(discharged_at as date) as discharged_on,
    case
        when is_dated_only
            then epoch(date_trunc('day', discharged_at) - date_trunc('day', admitted_at)) / epoch(interval '1 hour')
        else epoch(discharged_at - admitted_at) / epoch(interval '1 hour')
    end as stay_hours,
    age_years_stated,
    disposition,
    has_died,
    stay_ids,
    row_ids
from joined
