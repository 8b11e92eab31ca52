-- Laboratory results at the hospital's door: LOINC of (code, name, unit, material), unit in UCUM, result read once per
-- distinct text. A limit keeps its operator and nothing is put in its place; a textual result keeps its word; what is
-- neither (100-200, 阴性-<400) has no number and names `value` in `unparsed`. Values stay in the submitted unit.
-- PCT is plateletcrit or procalcitonin by its name, never by its code; urine and ascites never get the LOINC of blood.
-- Where an item changed its assay, the row says by which it was measured, from the day and, for a second assay in use,
-- the analyser.
-- A time before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per laboratory item and report
with results as not materialized (
    select * from raw.his__lab_results
),

lab_codes as (
    select
        code,
        name,
        coalesce(unit, '') as unit,
        specimen,
        loinc,
        nullif(unit_meant, '') as unit_meant,
        coalesce(renamed_to, '') <> '' as is_renamed
    from mapping.lab_codes
),

units as (
    select * from mapping.units
),

words as (
    select
        text,
        text_result,
        nullif(operator, '') as operator,
        nullif(receipt, '') as receipt
    from mapping.result_words
),

garbled as (
    select * from mapping.mojibake
    where used_for = 'lab_item'
),

assays as (
    select
        code,
        coalesce(instrument, '') as instrument,
        assay_era,
        coalesce(try_cast(valid_from as timestamp), timestamp '0001-01-01') as valid_from,
        coalesce(try_cast(valid_to as date) + 1, timestamp '9999-12-31') as valid_until
    from mapping.assays
),

births as (
    select
        patient_id,
        least(
            min(birth_month), min(if(national_id_valid, national_id_birth_month, null))
        ) as born_from
    from staging.patients
    group by patient_id
),

batches as (
    select
        file_id,
        cast(try_strptime(left(batch, 8), ['%Y%m%d']) as date) as batch_on
    from quality.files
),

trimmed as (
    select
        _row_id,
        病案号 as patient_id,
        ['', '-', '--', '—', '/', 'NULL', '无数据'] as blanks,
        trim(申请号, ' 　') as request_id,
        trim(标本号, ' 　') as specimen_id,
        trim(住院次数, ' 　') as stay_text,
        trim(性别, ' 　') as sex_text,
        trim(年龄, ' 　') as age_text,
        trim(标本类型, ' 　') as specimen_text,
        trim(采集时间, ' 　') as collected_text,
        trim(接收时间, ' 　') as received_text,
        trim(报告时间, ' 　') as reported_text,
        trim(报告状态, ' 　') as status_text,
        trim(项目代码, ' 　') as source_code,
        trim(项目名称, ' 　') as name_text,
        trim(结果, ' 　') as value_text,
        trim(单位, ' 　') as unit_text,
        trim(参考范围, ' 　') as ref_text,
        trim(异常标志, ' 　') as flag_text,
        trim(仪器, ' 　') as instrument,
        trim(备注, ' 　') as comment
    from results
),

cleaned as (
    select
        _row_id,
        patient_id,
        if(list_contains(blanks, request_id), null, request_id) as request_id,
        if(list_contains(blanks, specimen_id), null, specimen_id) as specimen_id,
        if(list_contains(blanks, stay_text), null, stay_text) as stay_text,
        if(list_contains(blanks, sex_text), null, sex_text) as sex_text,
        if(list_contains(blanks, age_text), null, age_text) as age_text,
        if(list_contains(blanks, specimen_text), null, specimen_text) as specimen_text,
        if(list_contains(blanks, collected_text), null, collected_text) as collected_text,
        if(list_contains(blanks, received_text), null, received_text) as received_text,
        if(list_contains(blanks, reported_text), null, reported_text) as reported_text,
        if(list_contains(blanks, status_text), null, status_text) as status_text,
        if(list_contains(blanks, source_code), null, source_code) as source_code,
        if(list_contains(blanks, name_text), null, name_text) as name_text,
        if(list_contains(blanks, value_text), null, value_text) as value_text,
        if(list_contains(blanks, unit_text), null, unit_text) as unit_text,
        if(list_contains(blanks, ref_text), null, ref_text) as ref_text,
        if(list_contains(blanks, flag_text), null, flag_text) as flag_text,
        if(list_contains(blanks, instrument), null, instrument) as instrument,
        if(list_contains(blanks, comment), null, comment) as comment
    from trimmed
),

texts as (
    select distinct trim(结果, ' 　') as value_text from results
),

plain_texts as (
    select
        value_text,
        trim(translate(value_text, '０１２３４５６７８９．，＜＞≦≧（）％－＋＊　', '0123456789.,<>≤≥()%-+* ')) as plain
    from texts
),

counted_texts as (
    select
        value_text,
        plain,
        regexp_extract(plain, '([×x*]?10[\^E*]\d/L)\s*(?:[↑↓]+|HH?|LL?)?$', 1) as count_unit,
        regexp_replace(plain, '[×x*]?10[\^E*]\d/L\s*(?:[↑↓]+|HH?|LL?)?$', '') as number_text
    from plain_texts
),

split_texts as (
    select
        value_text,
        plain,
        count_unit,
        regexp_extract(
            number_text,
            '^(<=|>=|[<>≤≥])?\s*(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)?'
            || '(?:\s*(?:[eE]|[×xX*]\s*10\s*\^?)([+-]?\d{1,2}))?\s*(.*)$',
            ['sign', 'digits', 'power', 'tail']
        ) as part,
        regexp_full_match(plain, '(?:<=|>=|[<>≤≥])?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?') as is_bare
    from counted_texts
),

parts as (
    select
        value_text,
        plain,
        is_bare,
        struct_extract(part, 'sign') as sign,
        replace(struct_extract(part, 'digits'), ',', '') as digits,
        coalesce(nullif(struct_extract(part, 'power'), ''), '0') as power,
        concat(
            trim(regexp_replace(struct_extract(part, 'tail'), '([↑↓]+|(^|\s)(HH?|LL?))$', '')), count_unit
        ) as tail_unit_text
    from split_texts
),

readings as (
    select
        parts.value_text,
        parts.plain <> parts.value_text as is_fullwidth,
        not parts.is_bare as is_decorated,
        tail_units.unit as tail_unit,
        words.text_result,
        words.operator as word_operator,
        words.receipt as word_receipt,
        words.text is not null as is_word,
        parts.digits <> '' and (parts.tail_unit_text = '' or tail_units.unit is not null) as is_number,
        try_cast(concat(parts.digits, 'e', parts.power) as double) as number,
        case
            when parts.sign in ('<', '>') then parts.sign
            when parts.sign in ('<=', '≤') then '<='
            when parts.sign in ('>=', '≥') then '>='
        end as sign_operator
    from parts
    left join units as tail_units on parts.tail_unit_text = tail_units.unit_text
    left join words on parts.plain = words.text
),

read_results as (
    select
        value_text,
        is_fullwidth,
        is_number,
        is_word,
        text_result,
        word_receipt,
        if(is_number, tail_unit, null) as tail_unit,
        if(is_number, number, null) as number,
        if(is_number, coalesce(sign_operator, '='), word_operator) as operator,
        is_number and is_decorated as is_decorated,
        is_number and sign_operator is not null as is_censored
    from readings
),

typed as (
    select
        cleaned._row_id,
        cleaned.patient_id,
        cleaned.stay_text,
        cleaned.request_id,
        cleaned.specimen_id,
        cleaned.specimen_text,
        cleaned.sex_text,
        cleaned.age_text,
        cleaned.collected_text,
        cleaned.received_text,
        cleaned.reported_text,
        cleaned.status_text,
        cleaned.source_code,
        cleaned.value_text,
        cleaned.unit_text,
        cleaned.ref_text,
        cleaned.flag_text,
        cleaned.instrument,
        cleaned.comment,
        coalesce(garbled.term, cleaned.name_text) as source_name,
        garbled.term is not null as is_garbled,
        units.unit as unit_stated,
        coalesce(units.unit, read_results.tail_unit) as unit_read,
        cleaned.unit_text is null and read_results.tail_unit is not null as is_unit_from_result,
        coalesce(read_results.tail_unit <> units.unit, false) as has_two_units,
        read_results.number,
        read_results.operator,
        read_results.text_result,
        read_results.word_receipt,
        coalesce(read_results.is_number, false) as is_number,
        coalesce(read_results.is_word, false) as is_word,
        coalesce(read_results.is_fullwidth, false) as is_fullwidth,
        coalesce(read_results.is_decorated, false) as is_decorated,
        coalesce(read_results.is_censored, false) as is_censored,
        try_cast(cleaned.stay_text as bigint) as stay_no,
        try_cast(rtrim(cleaned.age_text, '岁') as double) as age_years_stated,
        case cleaned.sex_text when '男' then 'male' when '女' then 'female' end as sex_stated,
        case cleaned.specimen_text
            when '血清' then 'serum'
            when '血浆' then 'plasma'
            when '全血' then 'whole_blood'
            when '动脉血' then 'arterial_blood'
            when '尿液' then 'urine'
            when '腹水' then 'ascites'
        end as specimen_read,
        case cleaned.status_text
            when '正式' then 'final'
            when '修改' then 'corrected'
            when '作废' then 'withdrawn'
        end as status_read,
        try_strptime(cleaned.collected_text, ['%Y-%m-%d %H:%M:%S', '%Y/%m/%d %H:%M']) as collected_read,
        try_strptime(cleaned.received_text, ['%Y-%m-%d %H:%M:%S', '%Y/%m/%d %H:%M']) as received_read,
        try_strptime(cleaned.reported_text, ['%Y-%m-%d %H:%M:%S', '%Y/%m/%d %H:%M']) as reported_read,
        greatest(cast(births.born_from as timestamp), timestamp '1950-01-01') as earliest,
        coalesce(cast(batches.batch_on + 1 as timestamp), timestamp '9999-12-31') as latest
    from cleaned
    left join read_results on cleaned.value_text = read_results.value_text
    left join units on cleaned.unit_text = units.unit_text
    left join garbled on cleaned.name_text = garbled.garbled
    left join births on cleaned.patient_id = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

coded as (
    select
        typed.*,
        lab_codes.loinc,
        coalesce(lab_codes.unit_meant, typed.unit_read) as unit,
        coalesce(typed.collected_read <> timestamp '1900-01-01', typed.collected_text is not null) as has_collected,
        coalesce(typed.received_read <> timestamp '1900-01-01', typed.received_text is not null) as has_received,
        coalesce(typed.reported_read <> timestamp '1900-01-01', typed.reported_text is not null) as has_reported,
        coalesce(lab_codes.is_renamed, false) as is_renamed,
        if(typed.collected_read >= typed.earliest and typed.collected_read < typed.latest, typed.collected_read, null)
            as collected_at,
        if(typed.received_read >= typed.earliest and typed.received_read < typed.latest, typed.received_read, null)
            as received_at,
        if(typed.reported_read >= typed.earliest and typed.reported_read < typed.latest, typed.reported_read, null)
            as reported_at
    from typed
    left join lab_codes
        on
            typed.source_code = lab_codes.code
            and typed.source_name = lab_codes.name
            and coalesce(typed.unit_read, '') = lab_codes.unit
            and case
                when typed.specimen_read in ('serum', 'plasma', 'whole_blood', 'arterial_blood') then 'blood'
                else typed.specimen_read
            end = lab_codes.specimen
),

dated as (
    select
        coded.*,
        coalesce(of_instrument.assay_era, of_item.assay_era) as assay_era
    from coded
    left join assays as of_instrument
        on
            coded.source_code = of_instrument.code
            and coded.instrument = of_instrument.instrument
            and of_instrument.instrument <> ''
            and coded.collected_at >= of_instrument.valid_from
            and coded.collected_at < of_instrument.valid_until
    left join assays as of_item
        on
            coded.source_code = of_item.code
            and of_item.instrument = ''
            and coded.collected_at >= of_item.valid_from
            and coded.collected_at < of_item.valid_until
)

select
    _row_id,
    patient_id,
    patient_id || '-' || cast(stay_no as varchar) as stay_id,
    request_id,
    specimen_id,
    coalesce(specimen_read, 'unknown') as specimen,
    collected_at,
    received_at,
    reported_at,
    coalesce(status_read, 'final') as report_status,
    source_code,
    source_name,
    loinc,
    value_text,
    if(has_two_units, null, operator) as operator,
    if(has_two_units, null, number) as value,
    text_result,
    unit_text,
    unit,
    ref_text,
    flag_text,
    instrument,
    assay_era,
    comment,
    sex_stated,
    age_years_stated,
    nullif(
        concat_ws(
            ',',
            if(is_garbled, 'mojibake', null),
            if(is_renamed, 'renamed', null),
            if(is_fullwidth, 'fullwidth', null),
            if(is_censored, 'censored', null),
            if(is_decorated, 'decorated', null),
            word_receipt,
            if(is_unit_from_result, 'unit_from_result', null)
        ),
        ''
    ) as receipt,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(specimen_text is not null and specimen_read is null, 'specimen', null),
            if(has_collected and collected_at is null, 'collected_at', null),
            if(has_received and received_at is null, 'received_at', null),
            if(has_reported and reported_at is null, 'reported_at', null),
            if(status_text is not null and status_read is null, 'report_status', null),
            if(value_text is not null and (has_two_units or not (is_number or is_word)), 'value', null),
            if(unit_text is not null and unit_stated is null, 'unit', null),
            if(sex_text is not null and sex_stated is null, 'sex_stated', null),
            if(age_text is not null and age_years_stated is null, 'age_years_stated', null)
        ),
        ''
    ) as unparsed
from dated
