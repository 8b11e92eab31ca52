-- What the definitions of ACLF ask for, in the window of a candidate: the highest bilirubin, its steepest daily rise,
-- the highest INR, the lowest prothrombin activity, ascites and its degree, encephalopathy, hepatorenal syndrome, and
-- whether cirrhosis was known by then: by a code, or by an answer; without either it is unknown.
-- one row per candidate
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

windows as (
    select
        candidate_id,
        person_id,
        window_from,
        window_to
    from intermediate.aclf_windows
),

labs as (
    select
        windows.candidate_id,
        labs.analyte,
        labs.collected_at,
        labs.value,
        labs._row_id
    from intermediate.labs as labs
    inner join windows
        on
            labs.person_id = windows.person_id
            and labs.collected_at >= windows.window_from
            and labs.collected_at < windows.window_to
    where labs.analyte in ('bilirubin_total', 'inr', 'pta') and labs.verdict in ('used', 'censored')
),

daily_bilirubin as (
    select
        candidate_id,
        cast(collected_at as date) as collected_on,
        max(value) as value
    from labs
    where analyte = 'bilirubin_total'
    group by candidate_id, cast(collected_at as date)
),

rises as (
    select
        candidate_id,
        (value - lag(value) over earlier) / date_diff('day', lag(collected_on) over earlier, collected_on) as daily_rise
    from daily_bilirubin
    window earlier as (partition by candidate_id order by collected_on)
),

steepest as (
    select
        candidate_id,
        max(daily_rise) as bilirubin_daily_rise_max
    from rises
    group by candidate_id
),

extremes as (
    select
        candidate_id,
        max(value) filter (where analyte = 'bilirubin_total') as bilirubin_max_umol_l,
        arg_max(_row_id, (value, -_row_id)) filter (
            where analyte = 'bilirubin_total' and value is not null
        ) as bilirubin_row_id,
        max(value) filter (where analyte = 'inr') as inr_max,
        arg_max(_row_id, (value, -_row_id)) filter (where analyte = 'inr' and value is not null) as inr_row_id,
        min(value) filter (where analyte = 'pta') as pta_min,
        arg_min(_row_id, (value, _row_id)) filter (where analyte = 'pta' and value is not null) as pta_row_id
    from labs
    group by candidate_id
),

answers as (
    select
        windows.candidate_id,
        assessments.item,
        assessments.value,
        assessments.value_code,
        assessments.assessed_at >= windows.window_from as is_within,
        assessments._row_id
    from core.assessments as assessments
    inner join persons on assessments.patient_id = persons.patient_id
    inner join windows
        on
            persons.person_id = windows.person_id
            and assessments.assessed_at < windows.window_to
    where
        assessments.item in ('ascites', 'he_grade', 'hrs', 'cirrhosis', 'aclf_diagnosis')
        and assessments.value_code is distinct from 'unknown'
),

signs as (
    select
        candidate_id,
        bool_or(value_code <> 'none') filter (where item = 'ascites') as ascites,
        bool_or(value_code in ('moderate', 'severe')) filter (where item = 'ascites') as ascites_marked,
        min(_row_id) filter (where item = 'ascites' and value_code <> 'none') as ascites_row_id,
        max(value) filter (where item = 'he_grade') as he_grade,
        arg_max(_row_id, (value, -_row_id)) filter (where item = 'he_grade' and value is not null) as he_row_id,
        bool_or(value_code = 'yes') filter (where item = 'hrs') as hrs,
        bool_or(item = 'aclf_diagnosis') as is_diagnosed
    from answers
    where is_within
    group by candidate_id
),

asked as (
    select
        candidate_id,
        bool_or(value_code in ('yes', 'compensated', 'decompensated')) as has_cirrhosis,
        min(_row_id) filter (where value_code in ('yes', 'compensated', 'decompensated')) as cirrhosis_row_id
    from answers
    where item = 'cirrhosis'
    group by candidate_id
),

stays as (
    select
        windows.candidate_id,
        stays.stay_id
    from intermediate.stays as stays
    inner join windows on stays.person_id = windows.person_id and stays.admitted_at < windows.window_to
),

listed as (
    select distinct stays.candidate_id
    from core.diagnoses as diagnoses
    inner join stays on diagnoses.stay_id = stays.stay_id
),

coded as (
    select
        stays.candidate_id,
        min(diagnoses._row_id) as cirrhosis_row_id
    from intermediate.diagnoses as diagnoses
    inner join stays on diagnoses.stay_id = stays.stay_id
    where diagnoses.codelist = 'cirrhosis'
    group by stays.candidate_id
)

select
    windows.candidate_id,
    cast(windows.window_from as date) as window_from,
    cast(windows.window_to - interval '1 second' as date) as window_to,
    extremes.bilirubin_max_umol_l,
    steepest.bilirubin_daily_rise_max,
    extremes.inr_max,
    extremes.pta_min,
    signs.ascites,
    signs.ascites_marked,
    signs.he_grade,
    signs.hrs,
    case
        when coded.candidate_id is not null or asked.has_cirrhosis then true
        when asked.candidate_id is not null or listed.candidate_id is not null then false
    end as cirrhosis,
    coalesce(signs.is_diagnosed, false) as is_diagnosed,
    list_distinct(
        [
            extremes.bilirubin_row_id,
            extremes.inr_row_id,
            extremes.pta_row_id,
            signs.ascites_row_id,
            signs.he_row_id,
            coalesce(coded.cirrhosis_row_id, asked.cirrhosis_row_id),
        ]
    ) as row_ids
from windows
left join extremes on windows.candidate_id = extremes.candidate_id
left join steepest on windows.candidate_id = steepest.candidate_id
left join signs on windows.candidate_id = signs.candidate_id
left join asked on windows.candidate_id = asked.candidate_id
left join listed on windows.candidate_id = listed.candidate_id
left join coded on windows.candidate_id = coded.candidate_id
