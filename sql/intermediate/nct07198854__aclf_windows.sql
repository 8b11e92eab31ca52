-- The days around the index admission in which the definitions of ACLF are looked for.
-- one row per candidate
with parameters as (
    select cast(max(value) filter (where parameter = 'aclf_window_days') as integer) as window_days
    from rules.parameters
)

select
    anchors.candidate_id,
    anchors.person_id,
    anchors.index_at,
    cast(anchors.index_on - parameters.window_days as timestamp) as window_from,
    cast(anchors.index_on + parameters.window_days as timestamp) + interval '1 day' as window_to
from intermediate.anchors as anchors
cross join parameters
