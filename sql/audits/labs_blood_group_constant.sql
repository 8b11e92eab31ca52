-- Blood groups of a tube where other tubes and front pages of the record number have another at least as often.
-- one row per such blood group result
select
    _row_id,
    concat(value_text, ' in ', times, ' of ', statements, ' results and front pages') as observed
from audit.blood_groups
where _row_id is not null and times <= statements - times
