-- Negative results of HBsAg in the days before the first infusion of a patient whose other results are positive.
-- one row per such negative result
with windows as (
    select to_days(cast(max(value) filter (where item = 'days_before') as integer)) as days_before
    from rules.definitions
    where definition = 'hbsag_at_baseline'
),

firsts as (
    select
        patient_id,
        min(infused_on) as infused_on
    from staging.infusions
    where infused_on is not null
    group by patient_id
),

positives as (
    select distinct patient_id
    from audit.hbv_signs
    where antigen = 'hbsag' and is_positive
)

select
    signs._row_id,
    concat('HBsAg ', signs.result_text, ' before the first infusion, positive in other results') as observed
from audit.hbv_signs as signs
inner join firsts on signs.patient_id = firsts.patient_id
semi join positives on signs.patient_id = positives.patient_id
cross join windows
where
    signs.antigen = 'hbsag'
    and not signs.is_positive
    and cast(signs.collected_at as date) <= firsts.infused_on
    and cast(signs.collected_at as date) >= firsts.infused_on - windows.days_before
