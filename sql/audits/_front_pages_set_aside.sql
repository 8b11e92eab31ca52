-- Front pages of which the stay or the patient cannot be believed: unreadable, dated backwards, too long, or stated
-- twice with different words. What else stands on such a page is set aside with it.
-- one row per front page and kind of row that cannot be believed
with tolerances as (
    select max(value) filter (where item = 'stay_days_max') as days_max
    from rules.definitions
    where definition = 'tolerances'
),

stays as (
    select
        *,
        admitted_precision = 'day' or discharged_precision = 'day' as is_dated_only,
        count(*) over (partition by patient_id, stay_id) as front_pages
    from staging.stays
)

select
    row_raw(stays._row_id) as raw_id,
    'stays' as table_name,
    'the stay of this front page is set aside' as observed
from stays
cross join tolerances
where
    stays.unparsed is not null
    or stays.front_pages > 1
    or cast(stays.discharged_at as date) < cast(stays.admitted_at as date)
    or (stays.discharged_at < stays.admitted_at and not stays.is_dated_only)
    or date_diff('day', stays.admitted_at, stays.discharged_at) > tolerances.days_max
union all
select
    row_raw(_row_id) as raw_id,
    'patients' as table_name,
    'the patient of this front page is set aside' as observed
from staging.patients
where unparsed is not null
