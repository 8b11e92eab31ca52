-- Stays without any laboratory result: what is missing was perhaps measured elsewhere, and is not normal.
-- one row per stay without a result
select
    stays._row_id,
    concat_ws(', ', 'no laboratory result', concat('admitted by ', replace(stays.route, '_', ' '))) as observed
from staging.stays as stays
where stays.stay_id not in (
    select labs.stay_id
    from staging.labs as labs
    where labs.stay_id is not null
)
