-- Calls that an earlier workbook holds and the newest does not.
-- one row per such call
select
    followups._row_id,
    'absent from the newest workbook' as observed
from quality.superseded as superseded
inner join staging.followups as followups on superseded._row_id = followups._row_id
where superseded.table_name = 'followups' and superseded.reason = 'row_withdrawn'
