-- The candidates of icu_cirrhosis and the moments everything else is measured from. A candidate is an admission, so
-- that the flow chart starts with all of them. Time zero is the day of admission; baseline begins at its minute.
-- one row per admission
with stays as (
    select * from intermediate.stays
)

select
    stay_id as candidate_id,
    person_id,
    episode_id,
    admitted_at as index_at,
    discharged_at as index_end_at,
    admitted_on as index_on,
    discharged_on as index_end_on,
    disposition,
    has_died,
    admitted_on as time_zero,
    'the admission' as reference_name,
    admitted_at as reference_from,
    admitted_at as reference_to,
    _row_id
from stays
