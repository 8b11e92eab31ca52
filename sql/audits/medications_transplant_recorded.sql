-- Orders of tacrolimus for days on end in somebody whose liver transplant nobody recorded.
-- one row per violating order
with parameters as (
    select max(value) filter (where parameter = 'tacrolimus_days') as tacrolimus_days
    from rules.parameters
),

orders as (
    select
        _row_id,
        patient_id,
        started_at,
        coalesce(stopped_at, started_at) as stopped_at
    from staging.medications
    where drug_class = 'tacrolimus' and status in ('executed', 'stopped')
),

courses as (
    select
        patient_id,
        date_diff('day', min(started_at), max(stopped_at)) as days
    from orders
    group by patient_id
)

select
    orders._row_id,
    concat('tacrolimus from ', cast(orders.started_at as date), ', ', courses.days, ' days in all') as observed
from orders
inner join courses on orders.patient_id = courses.patient_id
cross join parameters
anti join audit.transplants_recorded as recorded on orders.patient_id = recorded.patient_id
where courses.days >= parameters.tacrolimus_days
