-- Results of tubes that look like another person's by one signal.
-- one row per result of such a tube
select
    _row_id,
    observed
from audit.specimens_of_another
where not is_mixed_up
