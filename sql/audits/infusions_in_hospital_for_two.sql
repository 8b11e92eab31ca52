-- Infusions dated before the admission of patients with fewer other infusions than the study asks for: whether the line
-- counts decides whether the patient can be in. Executed orders that no line lies beside are told with it.
-- one row per such line
with counts as (
    select max(value) filter (where item = 'asked') as asked
    from rules.definitions
    where definition = 'infusion_count'
),

orders as (
    select
        patient_id,
        string_agg(cast(executed_on as varchar), ', ' order by executed_on) as days
    from audit.lone_orders
    group by patient_id
)

select
    lines._row_id,
    concat(
        'on ',
        lines.infused_on,
        ', in no stay; other lines in a stay: ',
        lines.lines_in_stay,
        '; executed orders without a line: ',
        coalesce(orders.days, 'none')
    ) as observed
from audit.infusion_lines as lines
cross join counts
left join orders on lines.patient_id = orders.patient_id
where lines.is_pre_index and lines.lines_in_stay < counts.asked
