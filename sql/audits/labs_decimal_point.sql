-- Results that differ tenfold from the patient's results before and after, within days: a moved decimal point.
-- At either end of a course one neighbour is enough, unless that neighbour is itself off from both sides.
-- one row per violating result
with jump as (
    select
        max(value) filter (where item = 'spread') as spread,
        max(value) filter (where item = 'hours') as hours
    from rules.definitions
    where definition = 'decimal_jump'
),

points as (
    select
        item as analyte,
        value as factor
    from rules.definitions
    where definition = 'decimal_point'
),

jumps as (
    select
        courses._row_id,
        courses.patient_id,
        courses.analyte,
        courses.collected_at,
        courses.value,
        courses.value_before,
        courses.value_after,
        courses.before_at >= courses.collected_at - to_hours(cast(jump.hours as integer)) as is_before_near,
        courses.after_at <= courses.collected_at + to_hours(cast(jump.hours as integer)) as is_after_near,
        greatest(courses.value_before / courses.value, courses.value / courses.value_before)
        between points.factor / jump.spread and points.factor * jump.spread as is_off_before,
        greatest(courses.value_after / courses.value, courses.value / courses.value_after)
        between points.factor / jump.spread and points.factor * jump.spread as is_off_after
    from audit.lab_courses as courses
    inner join points on courses.analyte = points.analyte
    cross join jump
),

sided as (
    select
        *,
        coalesce(is_before_near, false) as has_before,
        coalesce(is_after_near, false) as has_after,
        coalesce(is_before_near and is_after_near and is_off_before and is_off_after, false) as is_off_both
    from jumps
),

judged as (
    select
        *,
        lag(is_off_both, 1, false) over course as is_before_off,
        lead(is_off_both, 1, false) over course as is_after_off
    from sided
    window course as (partition by patient_id, analyte order by collected_at, _row_id)
)

select
    judged._row_id,
    concat_ws(
        ' ', labs.value_text, labs.unit_text, '- in one unit', round(judged.value, 1),
        concat('after ', round(judged.value_before, 1)), concat('before ', round(judged.value_after, 1))
    ) as observed
from judged
inner join staging.labs as labs on judged._row_id = labs._row_id
where
    judged.is_off_both
    or (judged.has_before and not judged.has_after and judged.is_off_before and not judged.is_before_off)
    or (judged.has_after and not judged.has_before and judged.is_off_after and not judged.is_after_off)
