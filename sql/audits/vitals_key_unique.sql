-- Different values of one sign of one patient at one moment.
-- one row per violating sign
with repeated as (
    select
        patient_id,
        stay_id,
        measured_at,
        item
    from staging.vitals
    where measured_at is not null
    group by patient_id, stay_id, measured_at, item
    having count(*) > 1
)

select
    vitals._row_id,
    concat(vitals.item, ' ', vitals.value_text, ' at ', vitals.measured_at) as observed
from staging.vitals as vitals
inner join repeated
    on
        vitals.patient_id = repeated.patient_id
        and vitals.stay_id is not distinct from repeated.stay_id
        and vitals.measured_at = repeated.measured_at
        and vitals.item = repeated.item
