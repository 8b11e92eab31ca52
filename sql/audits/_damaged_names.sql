-- Records whose name lost a character on its way, as ingest found them. The name is not used to link.
-- one row per delivered record
select distinct _row_id as raw_id
from quality.receipts
where rule_id = 'name_rare_char'
