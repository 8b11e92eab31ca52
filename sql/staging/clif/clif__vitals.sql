-- Vital signs in the units the format prescribes, and the oxygen fraction set at the device. A device without a
-- fraction is not room air: nothing is stated. A fraction above 1 is a percentage in the wrong column and is not read.
-- Impossible values (-27, 801, 0) are numbers here, for the rules.
-- one row per sign, patient and time
with signs as (
    select
        _row_id,
        hospitalization_id,
        recorded_dttm,
        lower(trim(vital_category)) as category,
        vital_value
    from raw.clif__vitals
),

devices as (
    select
        _row_id,
        hospitalization_id,
        recorded_dttm,
        fio2_set
    from raw.clif__respiratory_support
),

patients as (
    select
        hospitalization_id,
        max_by(patient_id, _row_id) as patient_id
    from raw.clif__hospitalization
    group by hospitalization_id
),

items as (
    select
        category,
        item,
        unit
    from mapping.vital_items
),

listed as (
    select
        signs._row_id,
        signs.hospitalization_id,
        signs.recorded_dttm,
        items.item,
        items.unit,
        signs.vital_value as value_text
    from signs
    inner join items on signs.category = items.category
    union all
    select
        _row_id,
        hospitalization_id,
        recorded_dttm,
        'fio2' as item,
        '1' as unit,
        fio2_set as value_text
    from devices
),

typed as (
    select
        listed._row_id,
        listed.hospitalization_id,
        coalesce(patients.patient_id, concat('unknown-', listed.hospitalization_id)) as patient_id,
        nullif(trim(listed.recorded_dttm), '') as measured_text,
        try_cast(replace(listed.recorded_dttm, '+00:00', '') as timestamp) as measured_at,
        listed.item,
        listed.unit,
        listed.value_text,
        try_cast(listed.value_text as double) as number
    from listed
    left join patients on listed.hospitalization_id = patients.hospitalization_id
    where nullif(trim(listed.value_text), '') is not null
),

judged as (
    select
        *,
        if(item = 'fio2' and number > 1, null, number) as value
    from typed
)

select
    _row_id,
    patient_id,
    hospitalization_id as stay_id,
    measured_at,
    item,
    value_text,
    value,
    unit,
    nullif(
        concat_ws(
            ',',
            if(measured_text is not null and measured_at is null, 'measured_at', null),
            if(value is null, 'value', null)
        ),
        ''
    ) as unparsed
from judged
