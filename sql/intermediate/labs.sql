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

products as (
    select
        person_id,
        case
            when source_table = 'procedures' then 'artificial_liver'
            when item = 'albumin' then 'albumin'
            else 'plasma'
        end as product,
        started_at,
        ended_at
    from intermediate.treatments
    where item in ('albumin', 'plasma', 'cryoprecipitate', 'artificial_liver')
),

altered as (
    select
        regexp_replace(definition, '^after_', '') as product,
        item as analyte,
        to_hours(cast(value as integer)) as altered_for
    from rules.definitions
    where definition in ('after_albumin', 'after_plasma', 'after_artificial_liver')
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
),

post_products as (
    select
        mapped._row_id,
        string_agg(distinct products.product, ', ' order by products.product) as post_product
    from mapped
    inner join altered on mapped.analyte = altered.analyte
    inner join products
        on
            mapped.person_id = products.person_id
            and altered.product = products.product
            and mapped.collected_at > products.started_at
            and mapped.collected_at <= products.ended_at + altered.altered_for
    group by mapped._row_id
)

select
    mapped.person_id,
    mapped.patient_id,
    mapped.stay_id,
    mapped.specimen_id,
    mapped.analyte,
    mapped.collected_at,
    mapped.value * mapped.factor as value,
    mapped.operator,
    mapped.text_result,
    mapped.analyte_unit as unit,
    mapped.value_text,
    mapped.unit_text,
    mapped.ref_text,
    mapped.factor,
    case
        when mapped.evidence is not null then mapped.evidence
        when mapped.factor <> 1 then 'the unit is printed, and the printed range does not belie it'
    end as unit_evidence,
    case
        when mapped.evidence is not null then mapped.confidence
        when mapped.factor <> 1 then 'strong'
    end as unit_confidence,
    mapped.assay_era,
    post_products.post_product,
    case
        when mapped.analyte is null then 'unmapped'
        when mapped.specimen in ('urine', 'ascites') then 'other_specimen'
        when mapped.value is null then 'text'
        when mapped.factor is null then 'unknown_unit'
        when mapped.operator <> '=' then 'censored'
        else 'used'
    end as verdict,
    mapped._row_id
from mapped
left join post_products on mapped._row_id = post_products._row_id
