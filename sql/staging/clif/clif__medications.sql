-- Administrations. A continuous infusion has a row for its start, each change of rate and its stop: a start or a change
-- holds until the next row of its order and drug. A stop, or a rate of nought, gives nothing: it has no start and is
-- not executed. A single dose is given at its time.
-- Drugs that no codelist of the protocol knows keep the source's name and have no class.
-- one row per order or administration
with continuous as (
    select
        *,
        true as is_continuous
    from raw.clif__medication_admin_continuous
),

intermittent as (
    select
        *,
        false as is_continuous
    from raw.clif__medication_admin_intermittent
),

patients as (
    select
        hospitalization_id,
        max_by(patient_id, _row_id) as patient_id
    from raw.clif__hospitalization
    group by hospitalization_id
),

drugs as (
    select
        category,
        drug,
        drug_class
    from mapping.drugs
),

administrations as (
    select * from continuous
    union all by name
    select * from intermittent
),

cleaned as (
    select
        _row_id,
        hospitalization_id,
        is_continuous,
        nullif(trim(med_order_id), '') as order_id,
        nullif(trim(med_name), '') as drug_text,
        nullif(lower(trim(med_category)), '') as category,
        nullif(trim(med_dose), '') as dose_text,
        nullif(trim(med_dose_unit), '') as dose_unit,
        nullif(trim(med_route_name), '') as route,
        nullif(trim(admin_dttm), '') as admin_text,
        nullif(lower(trim(mar_action_category)), '') as action_text
    from administrations
),

typed as (
    select
        *,
        try_cast(dose_text as double) as dose,
        try_cast(replace(admin_text, '+00:00', '') as timestamp) as admin_at,
        case
            when action_text in ('start', 'dose_change', 'going', 'given', 'bolus') then 'given'
            when action_text = 'stop' then 'stopped'
            when action_text = 'not_given' then 'not_given'
        end as action
    from cleaned
),

followed as (
    select
        *,
        coalesce(action = 'stopped' or (is_continuous and dose = 0), false) as is_stop,
        if(
            is_continuous,
            lead(admin_at) over (
                partition by row_file(_row_id), hospitalization_id, order_id, category
                order by admin_at asc, action = 'stopped' desc, _row_id asc
            ),
            null
        ) as next_at
    from typed
)

select
    followed._row_id,
    coalesce(patients.patient_id, concat('unknown-', followed.hospitalization_id)) as patient_id,
    followed.hospitalization_id as stay_id,
    followed.order_id,
    'drug' as order_class,
    cast(null as boolean) as is_standing,
    followed.drug_text,
    drugs.drug,
    drugs.drug_class,
    followed.dose,
    followed.dose_unit,
    cast(null as varchar) as frequency,
    followed.route,
    cast(null as timestamp) as ordered_at,
    if(followed.action = 'given' and not followed.is_stop, followed.admin_at, null) as started_at,
    if(followed.is_stop, followed.admin_at, if(followed.action = 'given', followed.next_at, null)) as stopped_at,
    if(followed.action = 'given' and not followed.is_stop, followed.admin_at, null) as executed_at,
    case
        when followed.is_stop then 'stopped'
        when followed.action = 'given' then 'executed'
        when followed.action = 'not_given' then 'cancelled'
        else 'new'
    end as status,
    cast(null as varchar) as note,
    cast(null as varchar) as receipt,
    nullif(
        concat_ws(
            ',',
            if(followed.admin_text is not null and followed.admin_at is null, 'started_at', null),
            if(followed.dose_text is not null and followed.dose is null, 'dose', null),
            if(followed.action_text is not null and followed.action is null, 'status', null)
        ),
        ''
    ) as unparsed
from followed
left join patients on followed.hospitalization_id = patients.hospitalization_id
left join drugs on followed.category = drugs.category
