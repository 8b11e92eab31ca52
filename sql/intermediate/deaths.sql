-- Deaths: the highest source of the hierarchy holds, a source with a credible day before one without.
-- One source alone against a later follow-up that found the person alive is disputed: it is kept and does not count.
-- one row per person with a statement of death
with notices as (
    select * from intermediate.death_notices
),

ranked as (
    select
        *,
        row_number() over (
            partition by person_id order by is_misdated, source_rank, died_to, _row_id
        ) as place
    from notices
),

chosen as (
    select * from ranked
    where place = 1
),

sources as (
    select
        person_id,
        count(distinct source) as sources,
        list(_row_id order by place) as row_ids,
        date_diff(
            'day',
            min(died_to) filter (where source <> 'household_register' and not is_misdated),
            max(died_to) filter (where source <> 'household_register' and not is_misdated)
        ) as days_apart
    from ranked
    group by person_id
),

seen_alive as (
    select
        signs.person_id,
        max(signs.seen_on) as seen_on
    from intermediate.life_signs as signs
    where signs.kind = 'follow-up'
    group by signs.person_id
)

select
    chosen.person_id,
    chosen.source,
    chosen.died_from,
    chosen.died_to,
    chosen.died_precision,
    sources.sources,
    coalesce(sources.days_apart, 0) as days_apart,
    coalesce(seen_alive.seen_on > chosen.died_to and sources.sources = 1, false) as is_disputed,
    sources.row_ids
from chosen
inner join sources on chosen.person_id = sources.person_id
left join seen_alive on chosen.person_id = seen_alive.person_id
