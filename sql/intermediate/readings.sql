-- Readings: every value that a baseline variable of the study could take, inside the variable's window before and after
-- the candidate's reference moment. Logarithm (base ten) and positivity are taken here. What cannot be a number is no
-- reading, but for HBV-DNA that was not detected, which lies below a limit the report does not state.
-- A sign that is an analyte of the protocol comes in the analyte's unit. Of procedures and medications, whose absence
-- means that nothing was done, each record is a reading of 1.
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

signs as (
    select
        persons.person_id,
        vitals.measured_at,
        vitals.item,
        case when units.analyte is null then vitals.value else vitals.value * factors.factor end as value,
        concat_ws(' ', vitals.value_text, vitals.unit) as submitted,
        vitals._row_id
    from core.vitals as vitals
    inner join persons on vitals.patient_id = persons.patient_id
    left join rules.analytes as units on vitals.item = units.analyte
    left join rules.analyte_units as factors on vitals.item = factors.analyte and vitals.unit = factors.unit
    where vitals.value is not null
),

pressures as (
    select
        systolic.person_id,
        systolic.measured_at,
        'map' as item,
        list_avg([systolic.value, diastolic.value, diastolic.value]) as value,
        concat(systolic.submitted, ' over ', diastolic.submitted) as submitted,
        diastolic._row_id
    from signs as systolic
    inner join signs as diastolic
        on
            systolic.person_id = diastolic.person_id
            and systolic.measured_at = diastolic.measured_at
            and systolic.item = 'sbp'
            and diastolic.item = 'dbp'
    anti join signs as measured
        on
            systolic.person_id = measured.person_id
            and systolic.measured_at = measured.measured_at
            and measured.item = 'map'
),

all_signs as (
    select * from signs
    where value is not null
    union all
    select * from pressures
),

vitals as (
    select
        windows.candidate_id,
        windows.variable,
        all_signs.measured_at as observed_at,
        all_signs.value,
        null as value_code,
        all_signs.submitted,
        all_signs._row_id
    from all_signs
    inner join windows
        on
            all_signs.person_id = windows.person_id
            and windows.source_table = 'vitals'
            and all_signs.item = windows.item
            and all_signs.measured_at >= windows.window_from
            and all_signs.measured_at < windows.window_to
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

done as (
    select
        'procedures' as source_table,
        patient_id,
        category as item,
        started_at,
        coalesce(ended_at, started_at) as ended_at,
        method_text as submitted,
        _row_id
    from core.procedures
    union all
    select
        'medications' as source_table,
        patient_id,
        drug_class as item,
        coalesce(executed_at, started_at) as started_at,
        coalesce(stopped_at, executed_at, started_at) as ended_at,
        drug_text as submitted,
        _row_id
    from core.medications
    where status in ('executed', 'stopped')
),

treatments as (
    select
        windows.candidate_id,
        windows.variable,
        done.started_at as observed_at,
        1 as value,
        null as value_code,
        done.submitted,
        done._row_id
    from done
    inner join persons on done.patient_id = persons.patient_id
    inner join windows
        on
            persons.person_id = windows.person_id
            and done.source_table = windows.source_table
            and done.item = windows.item
            and done.ended_at >= windows.window_from
            and done.started_at < windows.window_to
)

select * from labs
where value is not null or value_code is not null
union all
select * from vitals
union all
select * from assessments
union all
select * from treatments
