-- Notices of a death before a later admission of the patient.
-- one row per violating notice
select distinct
    statement_row_id as _row_id,
    concat('death on ', died_to, ', ', impossible) as observed
from audit.death_statements
where table_name = 'deaths' and impossible is not null
