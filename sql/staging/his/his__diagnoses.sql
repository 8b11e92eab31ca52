-- Diagnoses of the front page, unpivoted: outpatient, principal, then the other diagnoses as listed.
-- Codes lose blanks and marks and are upper case; a dagger-asterisk pair is split. What is no code of ICD-10 stands as
-- it is, for the rules: no code means acute-on-chronic liver failure, the label carries it and must not be lost.
-- one row per listed diagnosis of a stay
with pages_2011 as (
    select
        *,
        'ICD-10-GB2016' as code_system
    from raw.his__front_page_2011
),

pages_2001 as (
    select
        *,
        'ICD-10-GB2001' as code_system
    from raw.his__front_page_2001
),

pages as (
    select * from pages_2011
    union all by name
    select * from pages_2001
),

listed as (
    select
        pages._row_id,
        pages.code_system,
        pages.bah as patient_id,
        pages.zycs,
        diagnosis.position,
        diagnosis.role,
        diagnosis.code_cell,
        diagnosis.label_cell,
        diagnosis.presence_cell
    from pages
    cross join lateral (
        values
        (0, 'outpatient', pages.jbbm, pages.mzzd, null),
        (1, 'principal', pages.jbdm, pages.zyzd, pages.rybq),
        (2, 'other', pages.jbdm1, pages.qtzd1, pages.rybq1),
        (3, 'other', pages.jbdm2, pages.qtzd2, pages.rybq2),
        (4, 'other', pages.jbdm3, pages.qtzd3, pages.rybq3),
        (5, 'other', pages.jbdm4, pages.qtzd4, pages.rybq4),
        (6, 'other', pages.jbdm5, pages.qtzd5, pages.rybq5),
        (7, 'other', pages.jbdm6, pages.qtzd6, pages.rybq6),
        (8, 'other', pages.jbdm7, pages.qtzd7, pages.rybq7),
        (9, 'other', pages.jbdm8, pages.qtzd8, pages.rybq8),
        (10, 'other', pages.jbdm9, pages.qtzd9, pages.rybq9),
        (11, 'other', pages.jbdm10, pages.qtzd10, pages.rybq10),
        (12, 'other', pages.jbdm11, pages.qtzd11, pages.rybq11),
        (13, 'other', pages.jbdm12, pages.qtzd12, pages.rybq12),
        (14, 'other', pages.jbdm13, pages.qtzd13, pages.rybq13),
        (15, 'other', pages.jbdm14, pages.qtzd14, pages.rybq14),
        (16, 'other', pages.jbdm15, pages.qtzd15, pages.rybq15)
    ) as diagnosis (position, role, code_cell, label_cell, presence_cell)
),

cleaned as (
    select
        _row_id,
        code_system,
        patient_id,
        position,
        role,
        if(trim(zycs, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(zycs, ' 　')) as stay_text,
        if(trim(code_cell, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, code_cell) as code_text,
        if(trim(label_cell, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(label_cell, ' 　')) as label,
        if(
            trim(presence_cell, ' 　') in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, trim(presence_cell, ' 　')
        ) as presence_text
    from listed
),

stated as (
    select
        *,
        try_cast(stay_text as bigint) as stay_no,
        upper(translate(code_text, '＋＊．　 †*', '+*.')) as code_plain,
        case presence_text
            when '1' then 'yes'
            when '2' then 'undetermined'
            when '3' then 'unknown'
            when '4' then 'no'
        end as present_on_admission
    from cleaned
    where code_text is not null or label is not null
),

coded as (
    select
        *,
        nullif(split_part(code_plain, '+', 1), '') as code,
        nullif(split_part(code_plain, '+', 2), '') as code_second
    from stated
)

select
    row_item(_row_id, position + 1) as _row_id,
    patient_id,
    patient_id || '-' || coalesce(cast(stay_no as varchar), stay_text) as stay_id,
    cast(position as bigint) as position,
    role,
    code_text,
    code,
    code_second,
    code_system,
    label,
    present_on_admission,
    nullif(
        concat_ws(
            ',',
            if(stay_text is not null and stay_no is null, 'stay_id', null),
            if(presence_text is not null and present_on_admission is null, 'present_on_admission', null)
        ),
        ''
    ) as unparsed
from coded
