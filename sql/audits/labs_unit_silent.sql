-- Values in the conventional unit under the name of the other: the printed reference range is conventional, or two of
-- the bilirubins of a tube fall by the factor between the units from the tube before, and rise by it to the tube after.
-- A tube is not accused when it was the tube before that jumped: it only falls back.
-- one row per violating result
with jump as (
    select
        max(value) filter (where item = 'factor') as factor,
        max(value) filter (where item = 'spread') as spread,
        max(value) filter (where item = 'hours') as hours,
        max(value) filter (where item = 'items_min') as items_min
    from rules.definitions
    where definition = 'unit_jump'
),

ranges as (
    select
        loincs.loinc,
        analytes.unit,
        definitions.value as upper_min
    from rules.definitions as definitions
    inner join rules.analyte_loinc as loincs on definitions.item = loincs.analyte
    inner join rules.analytes as analytes on definitions.item = analytes.analyte
    where definitions.definition = 'conventional_range'
),

results as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        labs.collected_at,
        labs.loinc,
        labs.value,
        labs.value_text,
        labs.unit_text,
        labs.ref_text,
        ranges.upper_min
    from staging.labs as labs
    inner join ranges on labs.loinc = ranges.loinc and labs.unit = ranges.unit
    where labs.operator = '=' and labs.value > 0 and labs.specimen not in ('urine', 'ascites')
),

printed as (
    select distinct
        ref_text,
        list_max(
            list_transform(regexp_extract_all(ref_text, '[0-9]+[.]?[0-9]*'), n -> cast(n as double))
        ) as upper_printed
    from results
    where ref_text is not null
),

courses as (
    select
        results.*,
        results.value / lag(results.value) over course as rise,
        lag(results.value) over course as value_before,
        lag(results.collected_at) over course as before_at,
        lead(results.value) over course as value_after,
        lead(results.collected_at) over course as after_at
    from results
    inner join rules.analyte_loinc as loincs on results.loinc = loincs.loinc
    where starts_with(loincs.analyte, 'bilirubin') and results.collected_at is not null
    window course as (partition by results.patient_id, results.loinc order by results.collected_at, results._row_id)
),

bilirubins as (
    select
        *,
        lag(rise) over (partition by patient_id, loinc order by collected_at, _row_id) as rise_before
    from courses
),

fallen as (
    select
        bilirubins._row_id,
        bilirubins.specimen_id,
        bilirubins.value_text,
        bilirubins.unit_text,
        bilirubins.value_before,
        count(*) over (partition by bilirubins.specimen_id) as items
    from bilirubins
    cross join jump
    where
        bilirubins.specimen_id is not null
        and date_diff('hour', bilirubins.before_at, bilirubins.collected_at) <= jump.hours
        and bilirubins.value_before / bilirubins.value between jump.factor / jump.spread and jump.factor * jump.spread
        and coalesce(bilirubins.rise_before < jump.factor / jump.spread, true)
        and (
            coalesce(date_diff('hour', bilirubins.collected_at, bilirubins.after_at) > jump.hours, true)
            or bilirubins.value_after / bilirubins.value between jump.factor / jump.spread and jump.factor * jump.spread
        )
)

select
    results._row_id,
    concat(results.value_text, ' ', results.unit_text, ', printed range ', results.ref_text) as observed
from results
inner join printed on results.ref_text = printed.ref_text
where printed.upper_printed < results.upper_min
union all
select
    fallen._row_id,
    concat(fallen.value_text, ' ', fallen.unit_text, ' after ', fallen.value_before) as observed
from fallen
cross join jump
where fallen.items >= jump.items_min
