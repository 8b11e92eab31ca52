-- Nursing assessments of which the canonical table knows the item: Glasgow coma scale (total) and Richmond
-- agitation-sedation scale; the others stay in raw. The grade of encephalopathy is not assessed in this source and
-- cannot be derived from either, in sedated patients least of all: it has no row, which is not grade 0.
-- one row per assessed item (one per listed value for lists)
with assessments as (
    select
        _row_id,
        hospitalization_id,
        recorded_dttm,
        lower(trim(assessment_category)) as category,
        numerical_value
    from raw.clif__patient_assessments
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
        item
    from mapping.assessment_items
),

typed as (
    select
        assessments._row_id,
        assessments.hospitalization_id,
        coalesce(patients.patient_id, concat('unknown-', assessments.hospitalization_id)) as patient_id,
        nullif(trim(assessments.recorded_dttm), '') as assessed_text,
        try_cast(replace(assessments.recorded_dttm, '+00:00', '') as timestamp) as assessed_at,
        items.item,
        nullif(trim(assessments.numerical_value), '') as value_text,
        try_cast(assessments.numerical_value as double) as value
    from assessments
    inner join items on assessments.category = items.category
    left join patients on assessments.hospitalization_id = patients.hospitalization_id
)

select
    _row_id,
    patient_id,
    hospitalization_id as stay_id,
    cast(null as varchar) as assessment_id,
    assessed_at,
    cast(null as varchar) as assessment_type,
    item,
    value_text,
    cast(null as varchar) as value_code,
    value,
    cast(null as boolean) as is_range,
    cast(null as date) as from_on,
    cast(null as date) as to_on,
    cast(null as varchar) as precision,
    cast(null as varchar) as receipt,
    nullif(
        concat_ws(
            ',',
            if(assessed_text is not null and assessed_at is null, 'assessed_at', null),
            if(value_text is not null and value is null, 'value', null)
        ),
        ''
    ) as unparsed
from typed
where value_text is not null
