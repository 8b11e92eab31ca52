-- Deaths: the source states one time of death per patient, in hospital to the minute, elsewhere to the day; the day is
-- kept. A patient without one has no row.
-- one row per death notice
with patients as (
    select
        _row_id,
        patient_id,
        nullif(trim(death_dttm), '') as died_text
    from raw.clif__patient
),

dated as (
    select
        *,
        cast(try_cast(replace(died_text, '+00:00', '') as timestamp) as date) as died_on
    from patients
    where died_text is not null
)

select
    _row_id,
    patient_id,
    cast(null as varchar) as national_id,
    cast(null as boolean) as national_id_valid,
    cast(null as varchar) as name_id,
    cast(null as varchar) as notice_id,
    died_on as died_from,
    died_on as died_to,
    if(died_on is null, null, 'day') as died_precision,
    cast(null as varchar) as place,
    cast(null as varchar) as cause_code,
    cast(null as varchar) as cause,
    'source_system' as information_source,
    cast(null as date) as registered_on,
    if(died_on is null, 'died_to', null) as unparsed
from dated
