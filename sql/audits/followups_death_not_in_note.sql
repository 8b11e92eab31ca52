-- Calls whose remark alone tells of a death: neither status nor date say so.
-- one row per violating call
select
    _row_id,
    concat('the remark tells of a death, status ', vital_status, ', call of ', called_on) as observed
from staging.followups
where died_in_note and vital_status in ('unknown', 'lost') and died_to is null
