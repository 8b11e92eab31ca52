-- Laboratory results in the protocol's own terms: LOINC to analyte, unit to the analyte's unit by its factor.
-- `verdict` says what can be done with a row: 'used' a number, 'censored' a number that is only a limit, 'text' no
-- number, 'unknown_unit' no factor for its unit, 'other_specimen' not blood, 'unmapped' no analyte.
-- A conversion keeps what was submitted, its factor, on what evidence the unit is believed, and how sure that is: the
-- unit is printed and the printed range does not belie it, or it was put right by the gate (quality.repairs).
-- one row per laboratory item and report
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

analytes as (
    select
        loincs.loinc,
        analytes.analyte,
        analytes.unit
    from rules.analyte_loinc as loincs
    inner join rules.analytes as analytes on loincs.analyte = analytes.analyte
),

factors as (
    select
        analyte,
        unit,
        factor
    from rules.analyte_units
),

results as (
    select
        _row_id,
        patient_id,
        stay_id,
        specimen,
        specimen_id,
        loinc,
        collected_at,
        value,
        operator,
        text_result,
        unit,
        value_text,
        unit_text,
        ref_text,
        assay_era
    from core.labs
),

units_put_right as (
    select
        _row_id,
        evidence,
        confidence
    from quality.repairs
    where table_name = 'labs' and column_name = 'unit'
),

mapped as (
    select
        persons.person_id,
        results.*,
        analytes.analyte,
        analytes.unit as analyte_unit,
        factors.factor,
        units_put_right.evidence,
        units_put_right.confidence
    from results
    inner join persons on results.patient_id = persons.patient_id
    left join analytes on results.loinc = analytes.loinc
    left join factors
        on
            analytes.analyte = factors.analyte
            and case when results.unit_text is null then coalesce(results.unit, '1') else results.unit end
            = factors.unit
    left join units_put_right on results._row_id = units_put_right._row_id
)

select
    person_id,
    patient_id,
    stay_id,
    specimen_id,
    analyte,
    collected_at,
    value * factor as value,
    operator,
    text_result,
    analyte_unit as unit,
    value_text,
    unit_text,
    ref_text,
    factor,
    case
        when evidence is not null then evidence
        when factor <> 1 then 'the unit is printed, and the printed range does not belie it'
    end as unit_evidence,
    case
        when evidence is not null then confidence
        when factor <> 1 then 'strong'
    end as unit_confidence,
    assay_era,
    case
        when analyte is null then 'unmapped'
        when specimen in ('urine', 'ascites') then 'other_specimen'
        when value is null then 'text'
        when factor is null then 'unknown_unit'
        when operator <> '=' then 'censored'
        else 'used'
    end as verdict,
    _row_id
from mapped
