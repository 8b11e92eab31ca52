-- Deaths told on a day that cannot be: after the call that tells it, before the first infusion, before an admission.
-- one row per violating call
select distinct
    statement_row_id as _row_id,
    concat('death on ', died_to, ', ', impossible) as observed
from audit.death_statements
where table_name = 'followups' and impossible is not null
