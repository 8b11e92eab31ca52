-- Infusions dated before the admission they belong to: in no stay of the patient, and days before an admission or a
-- year before a day of a stay.
-- one row per such line
select
    _row_id,
    concat('pre_index: on ', infused_on, ', in no stay; other lines in a stay: ', lines_in_stay) as observed
from audit.infusion_lines
where is_pre_index
