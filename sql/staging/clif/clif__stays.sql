-- Stays: admission, discharge, age on admission and disposition. Times are the source's, marked UTC, and kept as given;
-- an admission without a time is named in `unparsed`, since everything of a stay is measured from it.
-- one row per stay and delivery
with stays as (
    select * from raw.clif__hospitalization
),

dispositions as (
    select
        category,
        disposition
    from mapping.dispositions
),

cleaned as (
    select
        _row_id,
        patient_id,
        hospitalization_id as stay_id,
        nullif(trim(admission_dttm), '') as admitted_text,
        nullif(trim(discharge_dttm), '') as discharged_text,
        nullif(trim(age_at_admission), '') as age_text,
        nullif(lower(trim(admission_type_category)), '') as route_text,
        nullif(lower(trim(discharge_category)), '') as disposition_text
    from stays
),

typed as (
    select
        cleaned.*,
        try_cast(replace(cleaned.admitted_text, '+00:00', '') as timestamp) as admitted_at,
        try_cast(replace(cleaned.discharged_text, '+00:00', '') as timestamp) as discharged_at,
        try_cast(cleaned.age_text as double) as age_years_stated,
        case cleaned.route_text
            when 'ed' then 'emergency'
            when 'facility' then 'transfer'
            when 'osh' then 'transfer'
            when 'elective' then 'elective'
            when 'direct' then 'other'
            when 'other' then 'other'
        end as route,
        dispositions.disposition as disposition_read
    from cleaned
    left join dispositions on cleaned.disposition_text = dispositions.category
)

select
    _row_id,
    patient_id,
    stay_id,
    cast(null as bigint) as stay_no,
    cast(null as varchar) as episode_stay_id,
    admitted_at,
    if(admitted_at is null, null, 'minute') as admitted_precision,
    discharged_at,
    if(discharged_at is null, null, 'minute') as discharged_precision,
    age_years_stated,
    route,
    cast(null as varchar) as ward_in,
    cast(null as varchar) as ward_out,
    coalesce(disposition_read, 'unknown') as disposition,
    cast(null as varchar) as outcome_stated,
    cast(null as double) as days_stated,
    cast(null as varchar) as payer,
    cast(null as varchar) as blood_group,
    cast(null as varchar) as form,
    nullif(
        concat_ws(
            ',',
            if(admitted_at is null, 'admitted_at', null),
            if(discharged_text is not null and discharged_at is null, 'discharged_at', null),
            if(age_text is not null and age_years_stated is null, 'age_years_stated', null),
            if(route_text is not null and route is null, 'route', null),
            if(disposition_text is not null and disposition_read is null, 'disposition', null)
        ),
        ''
    ) as unparsed
from typed
