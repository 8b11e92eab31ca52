-- Calls of days on which very many were made: the day of such a call says when somebody had time to call, and no more.
-- one row per violating call
with limits as (
    select max(value) filter (where item = 'calls_per_day') as calls_per_day
    from rules.definitions
    where definition = 'follow_up'
),

heaps as (
    select
        called_on,
        count(*) as calls
    from staging.followups
    where called_on is not null
    group by called_on
)

select
    followups._row_id,
    concat(heaps.calls, ' calls on ', heaps.called_on) as observed
from staging.followups as followups
inner join heaps on followups.called_on = heaps.called_on
cross join limits
where heaps.calls >= limits.calls_per_day
