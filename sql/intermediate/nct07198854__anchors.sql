-- The candidates of NCT07198854 and the moments everything else is measured from. A candidate is a person with an
-- HBV-related liver admission (a code of the liver, or a positive HBsAg in a stay) or an MSC infusion. The index
-- episode is the one with the first infusion, else the first admission. Time zero is the infusion that completes the
-- smallest number asked for, in the course that the first infusion opens. Baseline is taken at time zero; without it
-- at the first infusion, else at the index admission.
-- one row per candidate
with parameters as (
    select
        max(value) filter (where parameter = 'min_infusions') as min_infusions,
        max(value) filter (where parameter = 'hbsag_index_min') as hbsag_index_min,
        max(value) filter (where parameter = 'hbsag_quantity_min') as hbsag_quantity_min
    from rules.parameters
),

episodes as (
    select * from intermediate.episodes
),

infusions as (
    select * from intermediate.infusions
    where is_counted
),

coded as (
    select distinct person_id
    from intermediate.diagnoses
    where codelist in ('hbv', 'liver_failure', 'hepatic_insufficiency', 'cirrhosis', 'acute_decompensation')
),

positive as (
    select distinct labs.person_id
    from intermediate.labs as labs
    cross join parameters
    where
        labs.analyte in ('hbsag_qual', 'hbsag_quant')
        and labs.stay_id is not null
        and (
            labs.text_result in ('positive', 'weakly_positive')
            or (
                coalesce(labs.operator, '=') not in ('<', '<=')
                and labs.value >= case labs.analyte
                    when 'hbsag_qual' then parameters.hbsag_index_min
                    else parameters.hbsag_quantity_min
                end
            )
        )
),

liver_persons as (
    select person_id from coded
    union
    select person_id from positive
),

treated as (
    select
        infusions.person_id,
        count(*) as infusions,
        count(*) filter (where infusions.course_no = 1) as infusions_in_course,
        min(infusions.infused_on) as first_infusion_on,
        min(infusions.infused_on) filter (
            where infusions.course_no = 1 and infusions.infusion_no = parameters.min_infusions
        ) as completing_infusion_on,
        arg_min(infusions.episode_id, infusions.infused_on) as episode_id
    from infusions
    cross join parameters
    group by infusions.person_id
),

first_episodes as (
    select
        person_id,
        arg_min(episode_id, admitted_at) as episode_id
    from episodes
    group by person_id
),

chosen as (
    select
        first_episodes.person_id,
        coalesce(treated.episode_id, first_episodes.episode_id) as episode_id,
        coalesce(treated.infusions, 0) as infusions,
        coalesce(treated.infusions_in_course, 0) as infusions_in_course,
        treated.first_infusion_on,
        treated.completing_infusion_on
    from first_episodes
    left join treated on first_episodes.person_id = treated.person_id
    left join liver_persons on first_episodes.person_id = liver_persons.person_id
    where treated.person_id is not null or liver_persons.person_id is not null
),

dated as (
    select
        chosen.*,
        episodes.admitted_at,
        episodes.discharged_at,
        episodes.admitted_on,
        episodes.discharged_on,
        cast(
            coalesce(chosen.completing_infusion_on, chosen.first_infusion_on, episodes.admitted_on) as timestamp
        ) as reference_from
    from chosen
    inner join episodes on chosen.episode_id = episodes.episode_id
)

select
    person_id as candidate_id,
    person_id,
    episode_id,
    admitted_at as index_at,
    discharged_at as index_end_at,
    admitted_on as index_on,
    discharged_on as index_end_on,
    infusions,
    infusions_in_course,
    first_infusion_on,
    completing_infusion_on as time_zero,
    case
        when completing_infusion_on is not null then 'time zero'
        when first_infusion_on is not null then 'the first infusion'
        else 'the index admission'
    end as reference_name,
    reference_from,
    reference_from + interval '1 day' as reference_to
from dated
