-- Calls that reached nobody and are coded alive: nobody said so, the patient is lost.
-- one row per repaired cell
select
    _row_id,
    concat(replace(vital_status, '_', ' '), ', call: ', replace(reached, '_', ' ')) as observed,
    'vital_status' as column_name,
    'lost' as became,
    'The call reached nobody and names nobody who could know.' as evidence,
    'certain' as confidence
from staging.followups
where
    vital_status in ('alive', 'alive_after_transplant')
    and reached in ('no', 'empty_number', 'out_of_service')
    and coalesce(informant, 'nobody') = 'nobody'
