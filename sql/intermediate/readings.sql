-- Readings: every value that a baseline variable of the study could take, inside the variable's window before and after
-- the candidate's reference moment. Logarithm (base ten) and positivity are taken here. What cannot be a number is no
-- reading, but for HBV-DNA that was not detected, which lies below a limit the report does not state.
-- Of procedures and medications, whose absence means that nothing was done, each record is a reading of 1.
-- one row per candidate, variable and source row
with parameters as (
    select max(value) filter (where parameter = 'hbeag_index_min') as hbeag_index_min
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
        reference_from,
        reference_to
    from intermediate.anchors
),

windows as (
    select
        anchors.candidate_id,
        anchors.person_id,
        baseline.variable,
        baseline.analyte,
        baseline.source_table,
        baseline.item,
        anchors.reference_from,
        anchors.reference_to,
        anchors.reference_from - to_days(cast(baseline.days_before as integer)) as window_from,
        anchors.reference_to + to_days(cast(baseline.days_after as integer)) as window_to
    from anchors
    cross join rules.baseline as baseline
),

labs as (
    select
        windows.candidate_id,
        windows.variable,
        labs.collected_at as observed_at,
        case windows.variable
            when 'hbv_dna_log10' then log(nullif(greatest(labs.value, 0), 0))
            when 'hbeag_positive' then cast(labs.value >= parameters.hbeag_index_min as integer)
            else labs.value
        end as value,
        case when labs.verdict <> 'used' then labs.operator end as value_code,
        trim(concat_ws(' ', labs.value_text, labs.unit_text)) as submitted,
        labs.post_product,
        labs._row_id
    from intermediate.labs as labs
    cross join parameters
    inner join windows
        on
            labs.person_id = windows.person_id
            and labs.analyte = windows.analyte
            and labs.collected_at >= windows.window_from
            and labs.collected_at < windows.window_to
    where
        (
            labs.verdict in ('used', 'censored')
            or (windows.variable = 'hbv_dna_log10' and labs.text_result = 'not_detected')
        )
        and labs.analyte in (select baseline.analyte from rules.baseline as baseline)
),

vitals as (
    select
        windows.candidate_id,
        windows.variable,
        signs.measured_at as observed_at,
        signs.value,
        null as value_code,
        signs.submitted,
        null as post_product,
        signs._row_id
    from intermediate.signs as signs
    inner join windows
        on
            signs.person_id = windows.person_id
            and windows.source_table = 'vitals'
            and signs.item = windows.item
            and signs.measured_at >= windows.window_from
            and signs.measured_at < windows.window_to
),

answers as (
    select
        persons.person_id,
        assessments.assessed_at,
        assessments.item,
        case
            when assessments.item = 'ascites'
                then list_position(
                    ['none', 'mild', 'moderate'],
                    case assessments.value_code when 'severe' then 'moderate' else assessments.value_code end
                ) - 1
            when assessments.value is not null then assessments.value
            when assessments.value_code in ('none', 'no') then 0
            when assessments.value_code in ('yes', 'compensated', 'decompensated') then 1
        end as value,
        assessments.value_code,
        assessments.value_text as submitted,
        assessments._row_id
    from core.assessments as assessments
    inner join persons on assessments.patient_id = persons.patient_id
    where assessments.value_code is distinct from 'unknown'
),

assessments as (
    select
        windows.candidate_id,
        windows.variable,
        answers.assessed_at as observed_at,
        answers.value,
        answers.value_code,
        answers.submitted,
        null as post_product,
        answers._row_id
    from answers
    inner join windows
        on
            answers.person_id = windows.person_id
            and windows.source_table = 'assessments'
            and answers.item = windows.item
            and answers.assessed_at >= windows.window_from
            and answers.assessed_at < windows.window_to
    where answers.value is not null or windows.variable = 'antiviral'
),

treatments as (
    select
        windows.candidate_id,
        windows.variable,
        treatments.started_at as observed_at,
        1 as value,
        null as value_code,
        treatments.submitted,
        null as post_product,
        treatments._row_id
    from intermediate.treatments as treatments
    inner join windows
        on
            treatments.person_id = windows.person_id
            and treatments.source_table = windows.source_table
            and treatments.item = windows.item
            and treatments.ended_at >= windows.window_from
            and treatments.started_at < windows.window_to
)

select * from labs
where value is not null or value_code is not null
union all
select * from vitals
union all
select * from assessments
union all
select * from treatments
