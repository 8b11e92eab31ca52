-- Infusions whose day lies in no stay and is not pre-index either: the stay is missing, or its dates cannot be.
-- one row per such line
select
    _row_id,
    concat('outside_stay: on ', infused_on, ', in no stay') as observed
from audit.infusion_lines
where infused_on is not null and not is_in_stay and not is_pre_index
