-- Imaging conclusions with the three findings a study needs. A conclusion is read clause by clause: a word of doubt
-- beside the finding makes it doubtful, a negation before it in the clause makes it absent. Over all clauses a plain
-- finding outweighs doubt, doubt outweighs absence. A mass of which nothing more is said is a doubtful cancer.
-- A conclusion without one plain anatomical word was decoded wrongly and names `conclusion` in `unparsed`.
-- A time before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per imaging report
with reports as (
    select * from raw.his__imaging_reports
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

cleaned as (
    select
        _row_id,
        病案号 as patient_id,
        if(trim(住院次数, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(住院次数, ' 　')) as stay_text,
        if(trim(检查号, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(检查号, ' 　')) as exam_id,
        if(trim(检查类型, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(检查类型, ' 　')) as type_text,
        if(trim(检查部位, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(检查部位, ' 　')) as body_part,
        if(trim(检查时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(检查时间, ' 　')) as examined_text,
        if(trim(报告时间, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(报告时间, ' 　')) as reported_text,
        if(trim(报告状态, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(报告状态, ' 　')) as status_text,
        if(trim(结论, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(结论, ' 　')) as conclusion
    from reports
),

texts as (
    select distinct conclusion from cleaned
    where conclusion is not null
),

clauses as (
    select
        conclusion,
        unnest(
            regexp_split_to_array(
                regexp_replace(
                    translate(conclusion, '；，？　', ';,? '), ',\s*(性质|待定|不除外\s*([。;]|$)|不能除外\s*([。;]|$))', '\1', 'g'
                ),
                '[;,。\n]|\d+[.、．)]'
            )
        ) as clause
    from texts
),

mentions as (
    select
        clauses.conclusion,
        finding.item,
        finding.strength,
        clauses.clause,
        regexp_matches(
            clauses.clause, concat('(可疑|疑似|不除外|不能除外|不能排除|不排除)[^。]*', finding.pattern)
        )
        or regexp_matches(
            clauses.clause, concat(finding.pattern, '.*(待定|不除外|不能除外|不能排除|不排除|可能|待排|[?])')
        ) as is_doubtful,
        regexp_matches(
            clauses.clause,
            concat('(未见|未发现|未提示|未探及|无|排除|除外|不考虑)[^。]*', finding.pattern)
        ) as is_negated
    from clauses
    cross join (
        values
        ('liver_cancer', 'yes', '(肝癌|肝细胞癌|肝恶性肿瘤)'),
        ('liver_cancer', 'doubtful', '占位'),
        ('cirrhosis', 'yes', '肝硬化'),
        ('ascites', 'yes', '(腹水|腹腔积液)')
    ) as finding (item, strength, pattern)
    where regexp_matches(clauses.clause, finding.pattern)
),

found as (
    select
        conclusion,
        item,
        case
            when is_doubtful then 'doubtful'
            when is_negated then 'no'
            else strength
        end as answer
    from mentions
),

weighted as (
    select
        conclusion,
        item,
        answer,
        list_position(['yes', 'doubtful', 'no'], answer) as weight
    from found
),

findings as (
    select
        conclusion,
        arg_min(answer, weight) filter (where item = 'liver_cancer') as liver_cancer,
        arg_min(answer, weight) filter (where item = 'cirrhosis') as cirrhosis,
        arg_min(answer, weight) filter (where item = 'ascites') as ascites
    from weighted
    group by conclusion
),

typed as (
    select
        cleaned.*,
        findings.liver_cancer,
        findings.cirrhosis,
        findings.ascites,
        try_cast(cleaned.stay_text as bigint) as stay_no,
        case cleaned.type_text
            when '超声' then 'ultrasound'
            when 'CT' then 'ct'
            when 'MR' then 'mr'
            when 'X线' then 'x_ray'
            when '胃镜' then 'gastroscopy'
        end as type_read,
        case cleaned.status_text
            when '正式' then 'final'
            when '修改' then 'corrected'
            when '作废' then 'withdrawn'
        end as status_read,
        try_strptime(cleaned.examined_text, ['%Y-%m-%d %H:%M:%S']) as examined_read,
        try_strptime(cleaned.reported_text, ['%Y-%m-%d %H:%M:%S']) as reported_read,
        not regexp_matches(cleaned.conclusion, '[肝脾腹胃肺胆食肾心胸膈肠]') as is_garbled,
        greatest(cast(births.born_from as timestamp), timestamp '1950-01-01') as earliest,
        coalesce(cast(batches.batch_on + 1 as timestamp), timestamp '9999-12-31') as latest
    from cleaned
    left join findings on cleaned.conclusion = findings.conclusion
    left join births on cleaned.patient_id = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(examined_read >= earliest and examined_read < latest, examined_read, null) as examined_at,
        if(reported_read >= earliest and reported_read < latest, reported_read, null) as reported_at,
        coalesce(examined_read <> timestamp '1900-01-01', examined_text is not null) as has_examined,
        coalesce(reported_read <> timestamp '1900-01-01', reported_text is not null) as has_reported
    from typed
)

select
    _row_id,
    patient_id,
    patient_id || '-' || cast(stay_no as varchar) as stay_id,
    exam_id,
    coalesce(type_read, 'other') as exam_type,
    body_part,
    examined_at,
    reported_at,
    coalesce(status_read, 'final') as report_status,
    conclusion,
    liver_cancer,
    cirrhosis,
    ascites,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(type_text is not null and type_read is null, 'exam_type', null),
            if(has_examined and examined_at is null, 'examined_at', null),
            if(has_reported and reported_at is null, 'reported_at', null),
            if(status_text is not null and status_read is null, 'report_status', null),
            if(is_garbled, 'conclusion', null)
        ),
        ''
    ) as unparsed
from dated
