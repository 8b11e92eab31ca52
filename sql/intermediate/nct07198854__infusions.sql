-- MSC infusions: the ledger's lines and the executed orders brought together. Date and dose are the ledger's; lines
-- and orders a few days apart are one infusion, and its day is the earliest. One inside no stay is kept, not counted.
-- A dose that cannot be is left out, its day stands. Cases of the worklist go by the choice in force: lines days apart
-- that differ are one infusion or several; a line dated before the admission does not count, is that of an order alone
-- in the stay, or counts as dated in the stay that follows. `mark` tells pre_index, outside_stay and order_only.
-- A course goes on as long as the gap between two counted infusions stays within the protocol's limit.
-- one row per infusion
with parameters as (
    select
        max(value) filter (where parameter = 'infusion_double_entry_days') as double_entry_days,
        cast(max(value) filter (where parameter = 'infusion_order_match_days') as integer) as order_match_days,
        max(value) filter (where parameter = 'infusion_gap_days') as gap_days
    from rules.parameters
),

persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

episodes as (
    select
        person_id,
        episode_id,
        admitted_on,
        discharged_on
    from intermediate.episodes
),

flagged as (
    select
        _row_id,
        bool_or(rule_id = 'infusions_in_hospital') as is_pre_index,
        bool_or(rule_id = 'infusions_dose_plausible') as is_dose_unusable
    from quality.violations
    where table_name = 'infusions'
    group by _row_id
),

decided as (
    select
        persons.person_id,
        bool_or(cases.question = 'infusion_entered_differently' and cases.in_force = 'several_infusions') as is_several,
        bool_or(cases.question = 'infusion_before_admission' and cases.in_force = 'of_the_order') as is_of_the_order,
        bool_or(cases.question = 'infusion_before_admission' and cases.in_force = 'as_dated') as is_as_dated
    from quality.cases as cases
    inner join persons on cases.patient_id = persons.patient_id
    group by persons.person_id
),

lines as (
    select
        infusions._row_id,
        persons.person_id,
        infusions.infused_on,
        'ledger' as source,
        infusions.batch_no,
        infusions.cell_source,
        if(coalesce(flagged.is_dose_unusable, false), null, infusions.cells_infused_1e6) as cells_infused_1e6,
        infusions.weight_kg,
        coalesce(flagged.is_pre_index, false) as is_pre_index
    from core.infusions as infusions
    inner join persons on infusions.patient_id = persons.patient_id
    left join flagged on infusions._row_id = flagged._row_id
),

orders as (
    select
        medications._row_id,
        persons.person_id,
        cast(coalesce(medications.executed_at, medications.started_at) as date) as infused_on,
        'order' as source,
        null as batch_no,
        null as cell_source,
        null as cells_infused_1e6,
        null as weight_kg,
        false as is_pre_index
    from core.medications as medications
    inner join persons on medications.patient_id = persons.patient_id
    where medications.drug_class = 'msc' and medications.status = 'executed'
),

lone_orders as (
    select orders.*
    from orders
    cross join parameters
    anti join lines
        on
            orders.person_id = lines.person_id
            and not lines.is_pre_index
            and orders.infused_on between lines.infused_on - parameters.order_match_days
            and lines.infused_on + parameters.order_match_days
),

redated as (
    select
        lines._row_id,
        min(lone_orders.infused_on) as infused_on
    from lines
    inner join decided on lines.person_id = decided.person_id and decided.is_of_the_order
    inner join lone_orders
        on lines.person_id = lone_orders.person_id and lines.infused_on < lone_orders.infused_on
    where lines.is_pre_index
    group by lines._row_id
),

entries as (
    select lines.* replace (coalesce(redated.infused_on, lines.infused_on) as infused_on)
    from lines
    left join redated on lines._row_id = redated._row_id
    union all
    select * from orders
),

inside as (
    select
        entries.*,
        min_by(episodes.episode_id, episodes.admitted_on) as episode_id
    from entries
    left join episodes
        on
            entries.person_id = episodes.person_id
            and entries.infused_on between episodes.admitted_on
            and coalesce(episodes.discharged_on, entries.infused_on)
    group by all
),

following as (
    select
        inside._row_id,
        min_by(episodes.episode_id, episodes.admitted_on) as episode_id
    from inside
    inner join decided on inside.person_id = decided.person_id and decided.is_as_dated
    inner join episodes on inside.person_id = episodes.person_id and inside.infused_on < episodes.admitted_on
    where inside.is_pre_index and inside.episode_id is null
    group by inside._row_id
),

placed as (
    select
        inside.* replace (coalesce(inside.episode_id, following.episode_id) as episode_id),
        coalesce(decided.is_several, false) and inside.source = 'ledger' as is_separate
    from inside
    left join following on inside._row_id = following._row_id
    left join decided on inside.person_id = decided.person_id
),

ordered as (
    select
        *,
        date_diff('day', lag(infused_on) over earlier, infused_on) as days_since
    from placed
    window earlier as (
        partition by person_id, source, episode_id is null order by infused_on, batch_no, _row_id
    )
),

numbered as (
    select
        ordered.*,
        count(*) filter (
            where ordered.is_separate or ordered.days_since is null or ordered.days_since > parameters.double_entry_days
        ) over (
            partition by ordered.person_id, ordered.source, ordered.episode_id is null
            order by ordered.infused_on, ordered.batch_no, ordered._row_id
        ) as entry_no
    from ordered
    cross join parameters
),

single as (
    select
        person_id,
        source,
        entry_no,
        episode_id is not null as is_counted,
        bool_or(is_pre_index) as is_pre_index,
        arg_min(episode_id, (infused_on, _row_id)) filter (where infused_on is not null) as episode_id,
        min(infused_on) as infused_on,
        arg_min(batch_no, (infused_on, _row_id)) filter (where infused_on is not null) as batch_no,
        arg_min(cell_source, (infused_on, _row_id)) filter (where infused_on is not null) as cell_source,
        arg_min(cells_infused_1e6, (infused_on, _row_id)) filter (where infused_on is not null) as cells_infused_1e6,
        arg_min(weight_kg, (infused_on, _row_id)) filter (where infused_on is not null) as weight_kg,
        max(infused_on) as last_entered_on,
        list(_row_id order by infused_on, _row_id) as row_ids
    from numbered
    group by person_id, source, episode_id is not null, entry_no
),

ledger as (
    select * from single
    where source = 'ledger'
),

order_only as (
    select single.*
    from single
    cross join parameters
    anti join ledger
        on
            single.person_id = ledger.person_id
            and ledger.is_counted
            and single.infused_on between ledger.infused_on - parameters.order_match_days
            and ledger.last_entered_on + parameters.order_match_days
    where single.source = 'order'
),

orders_matched as (
    select
        ledger.person_id,
        ledger.entry_no,
        ledger.is_counted,
        list_sort(flatten(list(single.row_ids))) as order_row_ids
    from ledger
    cross join parameters
    inner join single
        on
            ledger.person_id = single.person_id
            and single.source = 'order'
            and single.infused_on between ledger.infused_on - parameters.order_match_days
            and ledger.last_entered_on + parameters.order_match_days
    group by ledger.person_id, ledger.entry_no, ledger.is_counted
),

infusions as (
    select
        ledger.*,
        case when orders_matched.person_id is null then 'ledger_only' else 'ledger_and_order' end as evidence,
        list_concat(ledger.row_ids, coalesce(orders_matched.order_row_ids, [])) as all_row_ids
    from ledger
    left join orders_matched
        on
            ledger.person_id = orders_matched.person_id
            and ledger.entry_no = orders_matched.entry_no
            and ledger.is_counted = orders_matched.is_counted
    union all
    select
        order_only.*,
        'order_only' as evidence,
        order_only.row_ids as all_row_ids
    from order_only
),

spaced as (
    select
        *,
        date_diff('day', lag(infused_on) over earlier, infused_on) as days_since_last
    from infusions
    window earlier as (partition by person_id, is_counted order by infused_on, batch_no)
),

courses as (
    select
        spaced.*,
        count(*) filter (where spaced.days_since_last is null or spaced.days_since_last > parameters.gap_days) over (
            partition by spaced.person_id, spaced.is_counted order by spaced.infused_on, spaced.batch_no
        ) as course
    from spaced
    cross join parameters
)

select
    person_id,
    infused_on,
    is_counted,
    evidence,
    case
        when is_pre_index then 'pre_index'
        when not is_counted then 'outside_stay'
        when evidence = 'order_only' then 'order_only'
    end as mark,
    episode_id,
    case when is_counted then course end as course_no,
    case
        when is_counted then row_number() over (
            partition by person_id, is_counted, course order by infused_on, batch_no
        )
    end as infusion_no,
    days_since_last,
    batch_no,
    cell_source,
    cells_infused_1e6,
    weight_kg,
    all_row_ids as row_ids
from courses
