-- Laboratory results: LOINC by the format's category, unit in UCUM, result read from the text as printed. The source
-- also gives a number: it stands in where the text was redacted or left out, and a text and a number that disagree are
-- not read. A limit (<0.2.) keeps its operator; a word keeps its code; anything else names `value` in `unparsed`.
-- Every repair leaves a receipt: unit_trimmed (blanks around a unit), redacted (___ for a text), numeric_column (the
-- number, and the text shown for it, is that of the other column), decorated, censored, text, blank_result.
-- The source numbers no tube; of the material it tells what its category says.
-- one row per laboratory item and report
with results as (
    select * from raw.clif__labs
),

patients as (
    select
        hospitalization_id,
        max_by(patient_id, _row_id) as patient_id
    from raw.clif__hospitalization
    group by hospitalization_id
),

lab_codes as (
    select
        category,
        loinc,
        specimen
    from mapping.lab_codes
),

units as (
    select
        unit_text,
        unit
    from mapping.units
),

words as (
    select
        text,
        text_result,
        receipt
    from mapping.result_words
),

cleaned as (
    select
        _row_id,
        hospitalization_id,
        nullif(trim(lab_collect_dttm), '') as collected_text,
        nullif(trim(lab_result_dttm), '') as reported_text,
        nullif(trim(lab_name), '') as source_name,
        nullif(lower(trim(lab_category)), '') as source_code,
        nullif(lab_value, '') as value_text,
        nullif(trim(regexp_replace(lab_value, '\s+', ' ', 'g')), '') as plain,
        nullif(trim(lab_value_numeric), '') as numeric_text,
        nullif(reference_unit, '') as unit_text,
        nullif(regexp_replace(reference_unit, '^\s+|\s+$', '', 'g'), '') as unit_trimmed,
        nullif(lower(trim(lab_specimen_category)), '') as specimen_text
    from results
),

parts as (
    select
        *,
        regexp_extract(
            plain,
            '^(<=|>=|<|>)? ?([+-]?\d+\.?\d*(?:[eE][+-]?\d+)?)([*. ]*)$',
            ['sign', 'digits', 'tail']
        ) as part
    from cleaned
),

read_results as (
    select
        parts.*,
        try_cast(nullif(struct_extract(parts.part, 'digits'), '') as double) as printed,
        nullif(struct_extract(parts.part, 'sign'), '') as sign,
        coalesce(struct_extract(parts.part, 'tail') <> '', false) as is_decorated,
        try_cast(parts.numeric_text as double) as number_beside,
        words.text_result as word,
        words.receipt as word_receipt
    from parts
    left join words on parts.plain = words.text
),

judged as (
    select
        *,
        coalesce(printed, if(plain is null or word_receipt = 'redacted', number_beside, null)) as number,
        printed is null
        and number_beside is not null
        and (plain is null or coalesce(word_receipt = 'redacted', false)) as is_numeric_column,
        coalesce(abs(printed - number_beside) > 1e-6 * greatest(abs(printed), 1), false)
        or (printed is null and number_beside is not null and word_receipt = 'text') as is_contradiction
    from read_results
),

typed as (
    select
        judged.*,
        coalesce(patients.patient_id, concat('unknown-', judged.hospitalization_id)) as patient_id,
        units.unit,
        lab_codes.loinc,
        case
            when judged.specimen_text is null then coalesce(lab_codes.specimen, 'unknown')
            when judged.specimen_text in ('blood', 'venous', 'venous blood') then 'unknown'
            when judged.specimen_text in ('arterial', 'arterial blood') then 'arterial_blood'
            when judged.specimen_text in ('serum', 'plasma', 'urine', 'ascites') then judged.specimen_text
        end as specimen_read,
        try_cast(replace(judged.collected_text, '+00:00', '') as timestamp) as collected_at,
        try_cast(replace(judged.reported_text, '+00:00', '') as timestamp) as reported_at
    from judged
    left join patients on judged.hospitalization_id = patients.hospitalization_id
    left join units on judged.unit_trimmed = units.unit_text
    left join lab_codes on judged.source_code = lab_codes.category
)

select
    _row_id,
    patient_id,
    hospitalization_id as stay_id,
    cast(null as varchar) as request_id,
    cast(null as varchar) as specimen_id,
    coalesce(specimen_read, 'unknown') as specimen,
    collected_at,
    cast(null as timestamp) as received_at,
    reported_at,
    'final' as report_status,
    source_code,
    source_name,
    if(specimen_read in ('urine', 'ascites'), null, loinc) as loinc,
    if(is_numeric_column, regexp_replace(numeric_text, '\.0$', ''), value_text) as value_text,
    if(is_contradiction or number is null, null, coalesce(sign, '=')) as operator,
    if(is_contradiction, null, number) as value,
    if(number is null, word, null) as text_result,
    unit_text,
    unit,
    cast(null as varchar) as ref_text,
    cast(null as varchar) as flag_text,
    cast(null as varchar) as instrument,
    cast(null as varchar) as assay_era,
    cast(null as varchar) as comment,
    cast(null as varchar) as sex_stated,
    cast(null as double) as age_years_stated,
    nullif(
        concat_ws(
            ',',
            if(unit_text <> unit_trimmed, 'unit_trimmed', null),
            if(printed is not null and sign is not null, 'censored', null),
            if(printed is not null and is_decorated, 'decorated', null),
            word_receipt,
            if(is_numeric_column, 'numeric_column', null),
            if(plain is null and number_beside is null, 'blank_result', null)
        ),
        ''
    ) as receipt,
    nullif(
        concat_ws(
            ',',
            if(specimen_text is not null and specimen_read is null, 'specimen', null),
            if(collected_text is not null and collected_at is null, 'collected_at', null),
            if(reported_text is not null and reported_at is null, 'reported_at', null),
            if(
                is_contradiction
                or (plain is not null and number is null and word is null)
                or (numeric_text is not null and number_beside is null),
                'value',
                null
            ),
            if(unit_trimmed is not null and unit is null, 'unit', null)
        ),
        ''
    ) as unparsed
from typed
