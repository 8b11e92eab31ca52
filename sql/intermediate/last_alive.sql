-- The last day each person is known to have been alive: the latest sign of life that does not come after the death.
-- Where a death is disputed, only what lies before it is undisputed; where it is refuted by decision, all signs count.
-- one row per person
with signs as (
    select * from intermediate.life_signs
),

deaths as (
    select
        person_id,
        died_to
    from intermediate.deaths
    where not is_refuted
),

before_death as (
    select
        signs.person_id,
        signs.seen_on,
        signs.kind,
        signs._row_id
    from signs
    left join deaths on signs.person_id = deaths.person_id
    where deaths.died_to is null or signs.seen_on <= deaths.died_to
),

ranked as (
    select
        *,
        row_number() over (partition by person_id order by seen_on desc, kind asc, _row_id asc) as place
    from before_death
)

select
    person_id,
    seen_on as last_alive_on,
    kind,
    _row_id
from ranked
where place = 1
