-- Results of a tube that repeat, as text, the patient's previous tube of another day in many items.
-- one row per repeated result
with panels as (
    select max(value) filter (where item = 'copied_items_min') as items_min
    from rules.definitions
    where definition = 'panels'
),

results as (
    select
        _row_id,
        patient_id,
        specimen_id,
        specimen,
        loinc,
        value_text,
        collected_at
    from staging.labs
    where specimen_id is not null and collected_at is not null and operator = '='
),

compared as (
    select
        _row_id,
        specimen_id,
        lag(specimen_id) over item as specimen_before,
        value_text = lag(value_text) over item
        and cast(collected_at as date) > cast(lag(collected_at) over item as date) as is_equal
    from results
    window item as (partition by patient_id, specimen, loinc order by collected_at, specimen_id)
),

equal as (
    select
        _row_id,
        specimen_id,
        count(*) over (partition by specimen_id, specimen_before) as items
    from compared
    where is_equal
)

select
    equal._row_id,
    concat(equal.items, ' results as in the tube before') as observed
from equal
cross join panels
where equal.items >= panels.items_min
