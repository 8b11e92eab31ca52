-- Tubes of which at least so many items repeat, to the letter, the same patient's previous tube with the same items.
-- one row per copied result
with results as (
    select
        _row_id,
        patient_id,
        specimen_id,
        specimen,
        source_code,
        value_text,
        collected_at,
        cast(collected_at as date) as collected_on
    from staging.labs
    where specimen_id is not null and operator = '=' and collected_at is not null
),

compared as (
    select
        _row_id,
        specimen_id,
        patient_id,
        value_text,
        collected_on,
        lag(value_text) over item as text_before,
        lag(specimen_id) over item as specimen_before,
        lag(collected_on) over item as collected_before
    from results
    window item as (partition by patient_id, specimen, source_code order by collected_at, specimen_id)
),

copies as (
    select
        specimen_id,
        patient_id,
        specimen_before,
        count(*) as items,
        count(*) filter (where value_text = text_before) as same
    from compared
    where collected_on > collected_before
    group by specimen_id, patient_id, specimen_before
),

fewest as (
    select value from rules.definitions
    where definition = 'lab_checks' and item = 'copied_items_min'
),

copied as (
    select copies.*
    from copies
    cross join fewest
    where copies.same >= fewest.value and copies.same = copies.items
)

select
    compared._row_id,
    concat(copied.same, ' items as in the tube before') as observed
from compared
inner join copied
    on
        compared.specimen_id = copied.specimen_id
        and compared.patient_id = copied.patient_id
        and compared.specimen_before = copied.specimen_before
where compared.value_text = compared.text_before
