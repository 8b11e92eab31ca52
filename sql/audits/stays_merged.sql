-- Front pages that cover another stay, which has rows in other tables and no front page of its own: two stays in one.
-- one row per such front page
select
    stays._row_id,
    concat('covers ', count(*), ' other stay with ', sum(orphans.events), ' rows and no front page') as observed
from staging.stays as stays
inner join audit.orphan_stays as orphans
    on
        stays.patient_id = orphans.patient_id
        and orphans.middle_at between stays.admitted_at and stays.discharged_at + interval '1 day'
group by stays._row_id
