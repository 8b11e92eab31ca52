-- The first hours of an admission, in which the definitions of ACLF are looked for; a day begins at the admission.
-- one row per admission
with parameters as (
    select cast(max(value) filter (where parameter = 'aclf_window_days') as integer) as window_days
    from rules.parameters
)

select
    anchors.candidate_id,
    anchors.person_id,
    anchors.index_at,
    anchors.index_at as window_from,
    anchors.index_at + to_days(parameters.window_days) as window_to
from intermediate.anchors as anchors
cross join parameters
