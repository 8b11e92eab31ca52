-- Results that differ tenfold from the patient's results before and after, within days: a moved decimal point.
-- At either end of a course one neighbour is enough, unless that neighbour is itself off from both sides.
-- one row per violating result
with jump as (
    select
        max(value) filter (where item = 'factor') as factor,
        max(value) filter (where item = 'spread') as spread,
        max(value) filter (where item = 'hours') as hours
    from rules.definitions
    where definition = 'decimal_jump'
),

results as (
    select
        labs._row_id,
        labs.patient_id,
        labs.collected_at,
        labs.value_text,
        labs.unit_text,
        loincs.analyte,
        labs.value * units.factor as value
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    inner join rules.analyte_units as units
        on loincs.analyte = units.analyte and coalesce(labs.unit, '1') = units.unit
    where
        loincs.analyte in ('sodium', 'potassium', 'albumin', 'bilirubin_total', 'inr')
        and labs.operator = '='
        and labs.value > 0
        and labs.collected_at is not null
        and labs.specimen not in ('urine', 'ascites')
),

courses as (
    select
        *,
        lag(value) over course as value_before,
        lag(collected_at) over course as before_at,
        lead(value) over course as value_after,
        lead(collected_at) over course as after_at
    from results
    window course as (partition by patient_id, analyte order by collected_at, _row_id)
),

jumps as (
    select
        courses._row_id,
        courses.value,
        courses.value_text,
        courses.unit_text,
        courses.value_before,
        courses.patient_id,
        courses.analyte,
        courses.collected_at,
        date_diff('hour', courses.before_at, courses.collected_at) <= jump.hours as is_before_near,
        date_diff('hour', courses.collected_at, courses.after_at) <= jump.hours as is_after_near,
        greatest(courses.value_before / courses.value, courses.value / courses.value_before)
        between jump.factor / jump.spread and jump.factor * jump.spread as is_off_before,
        greatest(courses.value_after / courses.value, courses.value / courses.value_after)
        between jump.factor / jump.spread and jump.factor * jump.spread as is_off_after
    from courses
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
    _row_id,
    concat_ws(' ', value_text, unit_text, '- in one unit', round(value, 1), 'after', round(value_before, 1)) as observed
from judged
where
    is_off_both
    or (has_before and not has_after and is_off_before and not is_before_off)
    or (has_after and not has_before and is_off_after and not is_after_off)
