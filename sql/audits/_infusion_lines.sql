-- Infusion lines: the lines of the ledger that stand for an infusion. For each whether a stay holds its day, an
-- order of cells was executed beside it, and it is pre-index: days before an admission, or a year before a stay's day.
-- one row per ledger line that repeats no other
with tolerances as (
    select
        to_days(cast(max(value) filter (where item = 'order_match_days') as integer)) as order_match,
        to_days(cast(max(value) filter (where item = 'pre_index_days') as integer)) as pre_index
    from rules.definitions
    where definition = 'infusion_days'
),

lines as (
    select
        _row_id,
        patient_id,
        infused_on,
        infusion_no,
        batch_no,
        cells_infused_1e6
    from staging.infusions
    where not contains(coalesce(receipt, ''), 'entered_again')
),

stays as (
    select
        patient_id,
        cast(admitted_at as date) as admitted_on,
        cast(discharged_at as date) as discharged_on
    from staging.stays
    where discharged_at >= admitted_at
),

orders as (
    select
        patient_id,
        cast(coalesce(executed_at, started_at) as date) as executed_on
    from staging.medications
    where drug_class = 'msc' and status = 'executed'
),

placed as (
    select
        lines._row_id,
        coalesce(bool_or(lines.infused_on between stays.admitted_on and stays.discharged_on), false) as is_in_stay,
        coalesce(
            bool_or(
                lines.infused_on < stays.admitted_on
                and lines.infused_on + tolerances.pre_index >= stays.admitted_on
            ),
            false
        ) as is_before_admission,
        coalesce(
            bool_or(lines.infused_on + interval '1 year' between stays.admitted_on and stays.discharged_on), false
        ) as is_year_before
    from lines
    cross join tolerances
    left join stays on lines.patient_id = stays.patient_id
    group by lines._row_id
),

ordered as (
    select distinct lines._row_id
    from lines
    cross join tolerances
    inner join orders
        on
            lines.patient_id = orders.patient_id
            and orders.executed_on between lines.infused_on - tolerances.order_match
            and lines.infused_on + tolerances.order_match
)

select
    lines._row_id,
    lines.patient_id,
    lines.infused_on,
    lines.infusion_no,
    lines.batch_no,
    lines.cells_infused_1e6,
    placed.is_in_stay,
    ordered._row_id is not null as is_ordered,
    not placed.is_in_stay and (placed.is_before_admission or placed.is_year_before) as is_pre_index,
    count(*) filter (where placed.is_in_stay) over (partition by lines.patient_id) as lines_in_stay
from lines
inner join placed on lines._row_id = placed._row_id
left join ordered on lines._row_id = ordered._row_id
