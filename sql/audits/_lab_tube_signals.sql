-- Tubes that look like another person's, each with its signals: a blood group that other tubes and front pages of the
-- patient outvote; HBsAg of another sign than in the tubes before and after, or an e antigen that is back after it was
-- gone, or gone within half a year; and results that stand out by more than a delta, to one side, from the patient's
-- results before and after. At either end of a course one neighbour is asked, and only where that neighbour agrees with
-- the one behind it: a steady course is no mixup.
-- one row per tube with a signal
with limits as (
    select
        to_days(cast(max(value) filter (where item = 'days') as integer)) as delta_span,
        to_days(cast(max(value) filter (where item = 'e_antigen_days') as integer)) as e_antigen_span,
        max(value) filter (where item = 'deltas_min') as deltas_min
    from rules.definitions
    where definition = 'specimen_mixup'
),

factors as (
    select
        item as analyte,
        value as factor
    from rules.definitions
    where definition = 'delta_factor'
),

groups as (
    select distinct specimen_id
    from audit.blood_groups
    where specimen_id is not null and times <= statements - times
),

asked_signs as (
    select
        signs.specimen_id,
        signs.antigen,
        signs.patient_id,
        signs.collected_at,
        signs._row_id,
        if(
            signs.antigen = 'hbsag'
            or signs.is_positive
            or signs.before_at >= signs.collected_at - limits.e_antigen_span,
            signs.is_positive <> signs.positive_before,
            null
        ) as is_off_before,
        if(
            signs.antigen = 'hbsag'
            or not signs.is_positive
            or signs.after_at <= signs.collected_at + limits.e_antigen_span,
            signs.is_positive <> signs.positive_after,
            null
        ) as is_off_after
    from audit.hbv_signs as signs
    cross join limits
),

placed_signs as (
    select
        *,
        lag(is_off_before and is_off_after) over course as is_before_odd,
        lead(is_off_before and is_off_after) over course as is_after_odd
    from asked_signs
    window course as (partition by patient_id, antigen order by collected_at, _row_id)
),

signs as (
    select distinct specimen_id
    from placed_signs
    where
        (is_off_before and is_off_after)
        or (is_off_before and is_off_after is null and not coalesce(is_before_odd, false))
        or (is_off_after and is_off_before is null and not coalesce(is_after_odd, false))
),

changes as (
    select
        courses._row_id,
        courses.patient_id,
        courses.analyte,
        courses.specimen_id,
        courses.collected_at,
        (courses.value > courses.value_before) = (courses.value > courses.value_after) as is_peak,
        if(
            courses.before_at >= courses.collected_at - limits.delta_span,
            greatest(courses.value / courses.value_before, courses.value_before / courses.value) > factors.factor,
            null
        ) as is_off_before,
        if(
            courses.after_at <= courses.collected_at + limits.delta_span,
            greatest(courses.value / courses.value_after, courses.value_after / courses.value) > factors.factor,
            null
        ) as is_off_after
    from audit.lab_courses as courses
    inner join factors on courses.analyte = factors.analyte
    cross join limits
),

placed_changes as (
    select
        *,
        lag(is_off_before) over course as was_before_off,
        lead(is_off_after) over course as is_after_off
    from changes
    window course as (partition by patient_id, analyte order by collected_at, _row_id)
),

deltas as (
    select
        specimen_id,
        count(*) as deltas
    from placed_changes
    where
        specimen_id is not null
        and (
            (is_off_before and is_off_after and is_peak)
            or (is_off_before and is_off_after is null and not was_before_off)
            or (is_off_after and is_off_before is null and not is_after_off)
        )
    group by specimen_id
),

changed as (
    select
        deltas.specimen_id,
        deltas.deltas
    from deltas
    cross join limits
    where deltas.deltas >= limits.deltas_min
),

tubes as (
    select specimen_id from groups
    union
    select specimen_id from signs
    where specimen_id is not null
    union
    select specimen_id from changed
)

select
    tubes.specimen_id,
    groups.specimen_id is not null as is_other_group,
    signs.specimen_id is not null as is_other_sign,
    changed.deltas,
    cast(groups.specimen_id is not null as integer) + cast(signs.specimen_id is not null as integer)
    + cast(changed.specimen_id is not null as integer) as signals
from tubes
left join groups on tubes.specimen_id = groups.specimen_id
left join signs on tubes.specimen_id = signs.specimen_id
left join changed on tubes.specimen_id = changed.specimen_id
