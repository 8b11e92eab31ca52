-- Stays that continue the one before, and the stays they continue: the same record number and ward, the next ordinal,
-- hardly a gap. The first of them opens the episode for all.
-- one row per stay of an episode of several
with tolerances as (
    select max(value) filter (where item = 'split_gap_days') as gap_days
    from rules.definitions
    where definition = 'tolerances'
),

neighbours as (
    select
        *,
        lag(stay_no) over earlier as previous_stay_no,
        lag(ward_out) over earlier as previous_ward_out,
        lag(discharged_at) over earlier as previous_discharged_at
    from staging.stays
    where stay_no is not null and admitted_at is not null
    window earlier as (partition by patient_id order by admitted_at, stay_no, _row_id)
),

judged as (
    select
        neighbours.*,
        date_diff('day', neighbours.previous_discharged_at, neighbours.admitted_at) as gap_days,
        coalesce(
            neighbours.previous_stay_no + 1 = neighbours.stay_no
            and neighbours.previous_ward_out = neighbours.ward_in
            and date_diff('day', neighbours.previous_discharged_at, neighbours.admitted_at)
            between 0 and tolerances.gap_days,
            false
        ) as continues
    from neighbours
    cross join tolerances
),

numbered as (
    select
        *,
        count(*) filter (where not continues) over (
            partition by patient_id order by admitted_at, stay_no, _row_id
        ) as episode_no
    from judged
),

opened as (
    select
        *,
        first_value(stay_id) over (
            partition by patient_id, episode_no order by admitted_at, stay_no, _row_id
        ) as first_stay_id,
        count(*) over (partition by patient_id, episode_no) as stays
    from numbered
)

select
    _row_id,
    case
        when continues then concat('begins ', gap_days, ' days after the stay before ends, on the same ward')
        else 'goes on in another stay'
    end as observed,
    'episode_stay_id' as column_name,
    first_stay_id as became,
    'One stay ends on the ward where the next begins, with the ordinal before and hardly a gap.' as evidence,
    'strong' as confidence
from opened
where stays > 1
