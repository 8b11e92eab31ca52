-- Vital signs of a person. A sign that is an analyte of the protocol comes in the analyte's unit; a mean arterial
-- pressure that was not measured is made from the systolic and diastolic pressure of one moment.
-- one row per sign
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
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
)

select * from signs
where value is not null
union all
select * from pressures
