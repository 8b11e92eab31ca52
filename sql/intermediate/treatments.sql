-- What was done to a person: procedures, and medications that were given (an order that was never executed is none).
-- one row per procedure or medication
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

done as (
    select
        'procedures' as source_table,
        patient_id,
        category as item,
        started_at,
        coalesce(ended_at, started_at) as ended_at,
        method_text as submitted,
        _row_id
    from core.procedures
    union all
    select
        'medications' as source_table,
        patient_id,
        drug_class as item,
        coalesce(executed_at, started_at) as started_at,
        coalesce(stopped_at, executed_at, started_at) as ended_at,
        drug_text as submitted,
        _row_id
    from core.medications
    where status in ('executed', 'stopped')
)

select
    persons.person_id,
    done.source_table,
    done.item,
    done.started_at,
    done.ended_at,
    done.submitted,
    done._row_id
from done
inner join persons on done.patient_id = persons.patient_id
