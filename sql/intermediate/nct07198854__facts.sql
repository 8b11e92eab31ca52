-- Facts: everything the cohort of NCT07198854 will hold about a candidate, each with the rows it comes from and why.
-- Baseline variables, the person, what decides eligibility, and what became of the candidate.
-- one row per candidate and variable
with anchors as (
    select * from intermediate.anchors
),

persons as (
    select distinct
        person_id,
        sex,
        birth_month
    from intermediate.persons
),

front_pages as (
    select
        persons.person_id,
        list(patients._row_id order by patients._row_id) as row_ids
    from core.patients as patients
    inner join intermediate.persons as persons on patients.patient_id = persons.patient_id
    group by persons.person_id
),

episodes as (
    select * from intermediate.episodes
),

ages as (
    select
        anchors.candidate_id,
        persons.birth_month,
        episodes.age_years_stated,
        episodes.row_ids,
        date_sub('year', last_day(persons.birth_month), anchors.index_on) as youngest,
        date_sub('year', persons.birth_month, anchors.index_on) as oldest,
        date_sub('month', persons.birth_month, cast(anchors.reference_from as date))
        / date_sub(
            'month',
            cast(anchors.reference_from - interval '1 year' as date),
            cast(anchors.reference_from as date)
        ) as age_years
    from anchors
    inner join persons on anchors.person_id = persons.person_id
    inner join episodes on anchors.episode_id = episodes.episode_id
),

person_facts as (
    select
        anchors.candidate_id,
        'sex' as variable,
        null as value,
        nullif(persons.sex, 'unknown') as value_text,
        null as observed_at,
        coalesce(front_pages.row_ids, []) as row_ids,
        if(
            front_pages.row_ids is null,
            'no front page of this person passed the gate',
            concat('as on the front pages: ', persons.sex)
        ) as explanation
    from anchors
    inner join persons on anchors.person_id = persons.person_id
    left join front_pages on anchors.person_id = front_pages.person_id
    union all
    select
        ages.candidate_id,
        'age_years' as variable,
        coalesce(ages.age_years, ages.age_years_stated) as value,
        null as value_text,
        null as observed_at,
        coalesce(front_pages.row_ids, ages.row_ids, []) as row_ids,
        case
            when ages.age_years is null then 'age in completed years as stated on the front page'
            else concat('months since birth month ', strftime(ages.birth_month, '%Y-%m'), ', in years')
        end as explanation
    from ages
    inner join anchors on ages.candidate_id = anchors.candidate_id
    left join front_pages on anchors.person_id = front_pages.person_id
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
            concat('by birth month ', youngest, ' to ', oldest, ' completed years')
        ) as explanation
    from ages
),

infusion_rows as (
    select
        person_id,
        flatten(list(row_ids order by infused_on)) as row_ids,
        string_agg(cast(infused_on as varchar), ', ' order by infused_on) as days,
        count(*) filter (where evidence = 'order_only') as order_only
    from intermediate.infusions
    where is_counted
    group by person_id
),

not_counted as (
    select
        person_id,
        string_agg(concat(infused_on, ' ', mark), ', ' order by infused_on) as days
    from intermediate.infusions
    where not is_counted and infused_on is not null
    group by person_id
),

infusion_facts as (
    select
        anchors.candidate_id,
        counted.variable,
        counted.value,
        null as value_text,
        cast(anchors.first_infusion_on as timestamp) as observed_at,
        coalesce(infusion_rows.row_ids, []) as row_ids,
        concat(
            coalesce('infusions on ' || infusion_rows.days, 'no infusion in a stay by ledger or executed order'),
            case when infusion_rows.order_only > 0 then concat('; by order only: ', infusion_rows.order_only) end,
            '; not counted: ' || not_counted.days
        ) as explanation
    from anchors
    cross join
        lateral (
            values ('infusions', anchors.infusions), ('infusions_in_course', anchors.infusions_in_course)
        ) as counted (variable, value)
    left join infusion_rows on anchors.person_id = infusion_rows.person_id
    left join not_counted on anchors.person_id = not_counted.person_id
),

stay_facts as (
    select
        anchors.candidate_id,
        'stay_hours' as variable,
        episodes.stay_hours as value,
        null as value_text,
        anchors.index_at as observed_at,
        episodes.row_ids,
        concat(
            'admitted ',
            strftime(episodes.admitted_at, '%Y-%m-%d %H:%M'),
            ', discharged ',
            strftime(episodes.discharged_at, '%Y-%m-%d %H:%M'),
            case when episodes.is_dated_only then ', known by date' end,
            case when episodes.is_end_inferred then ', the last row booked on the stay' end
        ) as explanation
    from anchors
    inner join episodes on anchors.episode_id = episodes.episode_id
),

aclf_facts as (
    select
        candidate_id,
        'aclf' as variable,
        cast(aclf as double) as value,
        null as value_text,
        null as observed_at,
        row_ids,
        concat(
            'from ',
            window_from,
            ' to ',
            window_to,
            ': highest bilirubin ',
            coalesce(cast(bilirubin_max_umol_l as varchar), 'unknown'),
            ' umol/L, highest INR ',
            coalesce(cast(inr_max as varchar), 'unknown'),
            ', lowest PTA ',
            coalesce(cast(pta_min as varchar), 'unknown'),
            ' %, ascites ',
            case when ascites then 'yes' when not ascites then 'no' else 'unknown' end,
            ', encephalopathy grade ',
            coalesce(cast(he_grade as varchar), 'unknown')
        ) as explanation
    from intermediate.aclf_evidence
),

hbsag_found as (
    select
        candidate_id,
        max(level) as level,
        flatten(list(row_ids order by level)) as row_ids,
        string_agg(concat(evidence, ' ', found_on), ', ' order by level) as says
    from intermediate.hbsag_evidence
    group by candidate_id
),

hbsag_facts as (
    select
        anchors.candidate_id,
        'hbsag_evidence_level' as variable,
        coalesce(hbsag_found.level, 0) as value,
        null as value_text,
        null as observed_at,
        coalesce(hbsag_found.row_ids, []) as row_ids,
        coalesce(hbsag_found.says, 'no code, no history and no two results far enough apart') as explanation
    from anchors
    left join hbsag_found on anchors.candidate_id = hbsag_found.candidate_id
),

exclusions as (
    select names.exclusion
    from (
        values
        ('malignancy'),
        ('hcv'),
        ('hiv_or_immunodeficiency'),
        ('renal_dysfunction'),
        ('pregnancy_or_lactation'),
        ('thyroid_disease')
    ) as names (exclusion)
),

excluded as (
    select
        candidate_id,
        exclusion,
        min(found_on) as found_on,
        flatten(list(row_ids order by source)) as row_ids,
        string_agg(concat(source, ' ', found_on, ': ', says), '; ' order by source) as says
    from intermediate.exclusions
    group by candidate_id, exclusion
),

exclusion_facts as (
    select
        anchors.candidate_id,
        concat('has_', exclusions.exclusion) as variable,
        cast(excluded.candidate_id is not null as integer) as value,
        null as value_text,
        cast(excluded.found_on as timestamp) as observed_at,
        coalesce(excluded.row_ids, []) as row_ids,
        coalesce(excluded.says, 'found in none of the places where it would show') as explanation
    from anchors
    cross join exclusions
    left join excluded on anchors.candidate_id = excluded.candidate_id and exclusions.exclusion = excluded.exclusion
),

outcome_facts as (
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
            deaths.days_apart,
            case
                when deaths.is_refuted then '; refuted by decision, not counted'
                when deaths.is_disputed then '; one source alone against a later word of life, not counted'
            end
        ) as explanation
    from anchors
    inner join intermediate.deaths as deaths on anchors.person_id = deaths.person_id
    union all
    select
        anchors.candidate_id,
        'transplant' as variable,
        1 as value,
        transplants.source as value_text,
        cast(transplants.to_on as timestamp) as observed_at,
        transplants.row_ids,
        concat(
            'transplanted from ',
            transplants.from_on,
            ' to ',
            transplants.to_on,
            ' by ',
            replace(transplants.source, '_', ' '),
            case when transplants.is_inferred then ', inferred' end
        ) as explanation
    from anchors
    inner join intermediate.transplants as transplants on anchors.person_id = transplants.person_id
    union all
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
),

derived as (
    select * from person_facts
    union all
    select * from infusion_facts
    union all
    select * from stay_facts
    union all
    select * from aclf_facts
    union all
    select * from hbsag_facts
    union all
    select * from exclusion_facts
    union all
    select * from outcome_facts
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
