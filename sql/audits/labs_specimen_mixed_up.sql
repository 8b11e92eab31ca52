-- Results of tubes that look like another person's by two independent signals or more.
-- one row per result of such a tube
select
    _row_id,
    observed
from audit.specimens_of_another
where is_mixed_up
