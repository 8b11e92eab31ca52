-- Lines of the ledger that an earlier workbook holds and the newest does not.
-- one row per such line
select
    infusions._row_id,
    'absent from the newest workbook' as observed
from quality.superseded as superseded
inner join staging.infusions as infusions on superseded._row_id = infusions._row_id
where superseded.table_name = 'infusions' and superseded.reason = 'row_withdrawn'
