-- Deaths: the highest source of the hierarchy holds, a source with a credible day before one without. A conflict of
-- dates may be decided for the source that disagrees, or for the whole interval. A death that the record disputes does
-- not count: one source alone against a later word of life, or by decision. By decision it may be refuted too: then the
-- patient was alive, and what the record shows after it counts as life.
-- one row per person with a statement of death
with parameters as (
    select max(value) filter (where parameter = 'death_agreement_days') as agreement_days
    from rules.parameters
),

notices as (
    select
        *,
        source <> 'household_register' and not is_misdated as is_dated
    from intermediate.death_notices
),

decisions as (
    select
        person_id,
        max(choice) filter (where question = 'death_dates_conflict') as on_dates,
        max(choice) filter (where question = 'alive_after_death') as on_word_of_life,
        max(choice) filter (where question = 'event_after_death') as on_events
    from intermediate.decisions
    group by person_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by person_id order by is_misdated, source_rank, died_to, _row_id
        ) as place
    from notices
),

highest as (
    select
        person_id,
        died_from,
        died_to
    from ranked
    where place = 1
),

compared as (
    select
        ranked.*,
        ranked.is_dated
        and greatest(
            date_diff('day', ranked.died_to, highest.died_from), date_diff('day', highest.died_to, ranked.died_from)
        ) > parameters.agreement_days as disagrees
    from ranked
    inner join highest on ranked.person_id = highest.person_id
    cross join parameters
),

placed as (
    select
        compared.* exclude (place),
        row_number() over (
            partition by compared.person_id
            order by coalesce(decisions.on_dates = 'lower_source' and not compared.disagrees, false), compared.place
        ) as place
    from compared
    left join decisions on compared.person_id = decisions.person_id
),

gathered as (
    select
        person_id,
        count(distinct source) as sources,
        list(_row_id order by place) as row_ids,
        min(died_from) filter (where is_dated) as first_from,
        max(died_to) filter (where is_dated) as last_to,
        date_diff(
            'day', min(died_to) filter (where is_dated), max(died_to) filter (where is_dated)
        ) as days_apart
    from placed
    group by person_id
),

judged as (
    select
        placed.person_id,
        placed.source,
        if(decisions.on_dates = 'interval', gathered.first_from, placed.died_from) as died_from,
        if(decisions.on_dates = 'interval', gathered.last_to, placed.died_to) as died_to,
        placed.died_precision,
        gathered.sources,
        coalesce(gathered.days_apart, 0) as days_apart,
        coalesce(decisions.on_events = 'rows_stand' or decisions.on_word_of_life = 'alive', false) as is_refuted,
        coalesce(decisions.on_word_of_life = 'by_sources' and gathered.sources = 1, false) as is_contested,
        gathered.row_ids
    from placed
    inner join gathered on placed.person_id = gathered.person_id
    left join decisions on placed.person_id = decisions.person_id
    where placed.place = 1
)

select
    person_id,
    source,
    died_from,
    died_to,
    died_precision,
    sources,
    days_apart,
    is_refuted or is_contested as is_disputed,
    is_refuted,
    row_ids
from judged
