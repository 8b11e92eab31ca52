-- Facts: everything the cohort of icu_cirrhosis will hold about an admission, each with the rows it comes from and why.
-- Baseline variables, the person, what decides eligibility, and what became of the patient.
-- The source records deaths after discharge for a time that the study page states, so a patient without a date of death
-- was alive that long after the last discharge; with one, the last sign of life in the record counts.
-- one row per candidate and variable
with parameters as (
    select max(value) filter (where parameter = 'discharge_alive_days') as discharge_alive_days
    from rules.parameters
),

anchors as (
    select * from intermediate.anchors
),

stays as (
    select * from intermediate.stays
),

persons as (
    select distinct
        person_id,
        sex,
        birth_month
    from intermediate.persons
),

patients as (
    select
        persons.person_id,
        list(patients._row_id order by patients._row_id) as row_ids
    from core.patients as patients
    inner join intermediate.persons as persons on patients.patient_id = persons.patient_id
    group by persons.person_id
),

sex_facts as (
    select
        anchors.candidate_id,
        'sex' as variable,
        null as value,
        nullif(persons.sex, 'unknown') as value_text,
        null as observed_at,
        coalesce(patients.row_ids, []) as row_ids,
        concat('as the source states: ', persons.sex) as explanation
    from anchors
    inner join persons on anchors.person_id = persons.person_id
    left join patients on anchors.person_id = patients.person_id
),

ages as (
    select
        anchors.candidate_id,
        persons.birth_month,
        stays.age_years_stated,
        [anchors._row_id] as row_ids,
        date_sub('year', last_day(persons.birth_month), anchors.index_on) as youngest,
        date_sub('year', persons.birth_month, anchors.index_on) as oldest,
        date_sub('month', persons.birth_month, anchors.index_on)
        / date_sub('month', cast(anchors.index_on - interval '1 year' as date), anchors.index_on) as age_years
    from anchors
    inner join persons on anchors.person_id = persons.person_id
    inner join stays on anchors.candidate_id = stays.stay_id
),

age_facts as (
    select
        candidate_id,
        'age_years' as variable,
        coalesce(age_years, age_years_stated) as value,
        null as value_text,
        null as observed_at,
        row_ids,
        case
            when age_years is null then 'age in completed years as stated with the admission'
            else concat('months since birth month ', strftime(birth_month, '%Y-%m'), ', in years')
        end as explanation
    from ages
    union all
    select
        candidate_id,
        'age_years_at_index' as variable,
        case
            when age_years_stated between youngest and oldest then age_years_stated
            else coalesce(youngest, age_years_stated)
        end as value,
        null as value_text,
        null as observed_at,
        row_ids,
        concat_ws(
            ', ',
            concat('stated ', age_years_stated),
            case
                when youngest is not null
                    then concat('by birth month ', youngest, ' to ', oldest, ' completed years')
            end
        ) as explanation
    from ages
),

listed as (
    select
        stay_id,
        count(*) as diagnoses
    from core.diagnoses
    group by stay_id
),

coded as (
    select
        stay_id,
        string_agg(distinct code, ', ' order by code) as codes,
        list_sort(list(distinct _row_id)) as row_ids
    from intermediate.diagnoses
    where codelist = 'cirrhosis'
    group by stay_id
),

cirrhosis as (
    select
        anchors.candidate_id,
        anchors.person_id,
        anchors.index_at,
        coalesce(listed.diagnoses, 0) as diagnoses,
        coded.stay_id is not null as is_coded,
        coded.codes,
        coalesce(coded.row_ids, []) as row_ids,
        first_value(anchors.index_at) over earliest as first_at,
        first_value(anchors.candidate_id) over earliest as first_id
    from anchors
    left join listed on anchors.candidate_id = listed.stay_id
    left join coded on anchors.candidate_id = coded.stay_id
    window earliest as (
        partition by anchors.person_id, coded.stay_id is not null order by anchors.index_at, anchors.candidate_id
    )
),

cirrhosis_facts as (
    select
        candidate_id,
        'has_cirrhosis' as variable,
        case when diagnoses > 0 then cast(is_coded as integer) end as value,
        codes as value_text,
        index_at as observed_at,
        row_ids,
        case
            when is_coded then concat('coded ', codes)
            when diagnoses > 0 then concat('none of ', diagnoses, ' codes of the admission is one of cirrhosis')
            else 'the admission has no diagnosis'
        end as explanation
    from cirrhosis
    union all
    select
        candidate_id,
        'is_first_admission' as variable,
        case when diagnoses > 0 then cast(is_coded and candidate_id = first_id as integer) end as value,
        null as value_text,
        index_at as observed_at,
        row_ids,
        case
            when is_coded then concat('first admission with a code of cirrhosis ', strftime(first_at, '%Y-%m-%d %H:%M'))
            else 'no admission with a code of cirrhosis'
        end as explanation
    from cirrhosis
),

stay_facts as (
    select
        anchors.candidate_id,
        'stay_hours' as variable,
        epoch(anchors.index_end_at - anchors.index_at) / epoch(interval '1 hour') as value,
        null as value_text,
        anchors.index_at as observed_at,
        [anchors._row_id] as row_ids,
        concat(
            'admitted ',
            strftime(anchors.index_at, '%Y-%m-%d %H:%M'),
            ', discharged ',
            coalesce(strftime(anchors.index_end_at, '%Y-%m-%d %H:%M'), 'not yet')
        ) as explanation
    from anchors
),

deaths as (
    select * from intermediate.deaths
),

death_facts as (
    select
        anchors.candidate_id,
        'death' as variable,
        cast(not deaths.is_disputed as integer) as value,
        deaths.source as value_text,
        cast(deaths.died_to as timestamp) as observed_at,
        deaths.row_ids,
        concat(
            'died from ',
            deaths.died_from,
            ' to ',
            deaths.died_to,
            ' by ',
            replace(deaths.source, '_', ' '),
            '; sources: ',
            deaths.sources,
            ', days apart: ',
            deaths.days_apart
        ) as explanation
    from anchors
    inner join deaths on anchors.person_id = deaths.person_id
    union all
    select
        anchors.candidate_id,
        'died_in_hospital' as variable,
        cast(anchors.has_died or coalesce(deaths.died_to < anchors.index_end_on, false) as integer) as value,
        anchors.disposition as value_text,
        anchors.index_end_at as observed_at,
        list_concat([anchors._row_id], coalesce(deaths.row_ids, [])) as row_ids,
        concat_ws(
            '; ',
            concat('disposition ', replace(anchors.disposition, '_', ' ')),
            concat('death on ', deaths.died_to),
            concat('discharge on ', anchors.index_end_on)
        ) as explanation
    from anchors
    left join deaths on anchors.person_id = deaths.person_id
),

last_discharges as (
    select
        person_id,
        max(discharged_on) as discharged_on,
        max_by(_row_id, discharged_on) as _row_id
    from stays
    group by person_id
),

last_alive_facts as (
    select
        anchors.candidate_id,
        'last_alive' as variable,
        null as value,
        last_alive.kind as value_text,
        cast(last_alive.last_alive_on as timestamp) as observed_at,
        [last_alive._row_id] as row_ids,
        concat('last sign of life ', last_alive.last_alive_on, ': ', last_alive.kind) as explanation
    from anchors
    inner join intermediate.last_alive as last_alive on anchors.person_id = last_alive.person_id
    inner join deaths on anchors.person_id = deaths.person_id
    union all
    select
        anchors.candidate_id,
        'last_alive' as variable,
        null as value,
        'no date of death' as value_text,
        cast(
            last_discharges.discharged_on + to_days(cast(parameters.discharge_alive_days as integer)) as timestamp
        ) as observed_at,
        [last_discharges._row_id] as row_ids,
        concat(
            'no date of death; last discharge ',
            last_discharges.discharged_on,
            ', after which the source records deaths for ',
            cast(parameters.discharge_alive_days as integer),
            ' days'
        ) as explanation
    from anchors
    cross join parameters
    inner join last_discharges on anchors.person_id = last_discharges.person_id
    anti join deaths on anchors.person_id = deaths.person_id
),

derived as (
    select * from sex_facts
    union all
    select * from age_facts
    union all
    select * from cirrhosis_facts
    union all
    select * from stay_facts
    union all
    select * from death_facts
    union all
    select * from last_alive_facts
)

select
    candidate_id,
    variable,
    cast(value as double) as value,
    value_text,
    observed_at,
    row_ids,
    rule_ids,
    explanation
from intermediate.baseline_facts
union all
select
    candidate_id,
    variable,
    value,
    null as value_text,
    null as observed_at,
    row_ids,
    cast([] as varchar[]) as rule_ids,
    explanation
from intermediate.definition_facts
union all
select
    candidate_id,
    variable,
    cast(value as double) as value,
    value_text,
    observed_at,
    row_ids,
    cast([] as varchar[]) as rule_ids,
    explanation
from derived
