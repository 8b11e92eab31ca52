-- Lone orders: executed orders of cells that no line of the ledger lies beside; with how many lines of the same patient
-- may be theirs: lines that fit neither a stay nor an order, or whose day cannot be read.
-- one row per such order
with tolerances as (
    select to_days(cast(max(value) filter (where item = 'order_match_days') as integer)) as order_match
    from rules.definitions
    where definition = 'infusion_days'
),

lines as (
    select * from audit.infusion_lines
),

strays as (
    select
        patient_id,
        count(*) as strays
    from lines
    where not is_in_stay and not is_ordered
    group by patient_id
),

orders as (
    select
        _row_id,
        patient_id,
        cast(coalesce(executed_at, started_at) as date) as executed_on
    from staging.medications
    where drug_class = 'msc' and status = 'executed' and coalesce(executed_at, started_at) is not null
),

alone as (
    select
        orders.*,
        count(distinct orders.executed_on) over (partition by orders.patient_id) as days_alone
    from orders
    cross join tolerances
    anti join lines
        on
            orders.patient_id = lines.patient_id
            and orders.executed_on between lines.infused_on - tolerances.order_match
            and lines.infused_on + tolerances.order_match
)

select
    alone._row_id,
    alone.patient_id,
    alone.executed_on,
    alone.days_alone,
    coalesce(strays.strays, 0) as strays
from alone
left join strays on alone.patient_id = strays.patient_id
