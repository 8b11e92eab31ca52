-- Evidence, up to the end of the index episode, that HBsAg had been positive for more than six months. It is a level:
-- 1 the code of chronic hepatitis B, 2 a history in the assessment, 3 two positive results far enough apart. A result
-- is positive by its words or at the cut-off of its assay. A negative result just before the first infusion takes
-- nothing from it, unless it was decided that HBsAg had been lost.
-- one row per candidate and kind of evidence found
with parameters as (
    select
        max(value) filter (where parameter = 'hbsag_days_apart') as days_apart,
        max(value) filter (where parameter = 'hbsag_index_min') as index_min,
        max(value) filter (where parameter = 'hbsag_quantity_min') as quantity_min
    from rules.parameters
),

persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

anchors as (
    select
        candidate_id,
        person_id,
        index_end_on
    from intermediate.anchors
),

coded as (
    select
        anchors.candidate_id,
        'code' as evidence,
        min(cast(diagnoses.admitted_at as date)) as found_on,
        list(diagnoses._row_id order by diagnoses._row_id) as row_ids
    from intermediate.diagnoses as diagnoses
    inner join anchors on diagnoses.person_id = anchors.person_id
    where
        diagnoses.codelist = 'hbv'
        and cast(diagnoses.admitted_at as date) <= anchors.index_end_on
    group by anchors.candidate_id
),

told as (
    select
        anchors.candidate_id,
        'history' as evidence,
        min(cast(assessments.assessed_at as date)) as found_on,
        list(assessments._row_id order by assessments._row_id) as row_ids
    from core.assessments as assessments
    cross join parameters
    inner join persons on assessments.patient_id = persons.patient_id
    inner join anchors on persons.person_id = anchors.person_id
    where
        assessments.item = 'hbsag_history'
        and cast(assessments.assessed_at as date) <= anchors.index_end_on
        and (
            assessments.value_code = 'over_6_months'
            or date_diff('day', assessments.to_on, cast(assessments.assessed_at as date)) >= parameters.days_apart
        )
    group by anchors.candidate_id
),

positive as (
    select
        anchors.candidate_id,
        cast(labs.collected_at as date) as collected_on,
        labs._row_id
    from intermediate.labs as labs
    cross join parameters
    inner join anchors on labs.person_id = anchors.person_id
    where
        labs.analyte in ('hbsag_qual', 'hbsag_quant')
        and cast(labs.collected_at as date) <= anchors.index_end_on
        and (
            labs.text_result in ('positive', 'weakly_positive')
            or (
                coalesce(labs.operator, '=') not in ('<', '<=')
                and labs.value
                >= case labs.analyte when 'hbsag_qual' then parameters.index_min else parameters.quantity_min end
            )
        )
),

measured as (
    select
        positive.candidate_id,
        'results' as evidence,
        max(positive.collected_on) as found_on,
        [
            arg_min(positive._row_id, (positive.collected_on, positive._row_id)),
            arg_max(positive._row_id, (positive.collected_on, -positive._row_id)),
        ] as row_ids
    from positive
    cross join parameters
    group by positive.candidate_id
    having date_diff('day', min(positive.collected_on), max(positive.collected_on)) >= max(parameters.days_apart)
),

evidence as (
    select * from coded
    union all
    select * from told
    union all
    select * from measured
),

lost as (
    select anchors.candidate_id
    from intermediate.decisions as decisions
    inner join anchors on decisions.person_id = anchors.person_id
    where decisions.question = 'hbsag_at_baseline' and decisions.choice = 'lost'
)

select
    evidence.candidate_id,
    evidence.evidence,
    list_position(['code', 'history', 'results'], evidence.evidence) as level,
    evidence.found_on,
    evidence.row_ids
from evidence
anti join lost on evidence.candidate_id = lost.candidate_id
