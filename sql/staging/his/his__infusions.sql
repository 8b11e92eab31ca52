-- Cell infusions as the cell laboratory's ledger states them. Counts stand in ten thousands or in millions by the
-- header; both become millions. A count in ten thousands under a header of millions is for the rules to find.
-- A number in full-width digits is read and leaves the receipt `fullwidth`.
-- A name with a character lost on its way is left out, so that nothing is linked by it.
-- A day before 1950, before the birth month or after the batch is left out and named in `unparsed`.
-- one row per ledger line and snapshot
with ledger as (
    select * from raw.his__cell_infusions
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

cells as (
    select
        _row_id,
        病案号 as patient_id,
        病案号__padded as padded_patient_id,
        if(coalesce(cast(姓名__damaged as boolean), false), null, 姓名) as name_id,
        trim(性别, ' 　') as sex_cell,
        trim(年龄, ' 　') as age_cell,
        trim(诊断, ' 　') as diagnosis_cell,
        trim("体重(kg)", ' 　') as weight_cell,
        trim(输注日期, ' 　') as infused_cell,
        trim(第几次, ' 　') as ordinal_cell,
        trim(细胞来源, ' 　') as source_cell,
        trim(批号, ' 　') as batch_cell,
        trim(代次, ' 　') as passage_cell,
        trim("细胞计数(万)", ' 　') as counted_wan_cell,
        trim("细胞计数(×10^6)", ' 　') as counted_cell,
        trim("活率(%)", ' 　') as viability_cell,
        trim("实际输注细胞数(万)", ' 　') as infused_wan_cell,
        trim("实际输注细胞数(×10^6)", ' 　') as dose_cell,
        trim(途径, ' 　') as route_cell,
        trim(不良反应, ' 　') as reaction_cell,
        trim(备注, ' 　') as note_cell
    from ledger
),

cleaned as (
    select
        _row_id,
        patient_id,
        padded_patient_id,
        name_id,
        if(sex_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, sex_cell) as sex_text,
        if(age_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, age_cell) as age_text,
        if(diagnosis_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, diagnosis_cell) as diagnosis_text,
        if(weight_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, weight_cell) as weight_text,
        if(infused_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, infused_cell) as infused_text,
        if(ordinal_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, ordinal_cell) as ordinal_text,
        if(source_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, source_cell) as source_text,
        if(batch_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, batch_cell) as batch_no,
        if(passage_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, passage_cell) as passage,
        if(counted_wan_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, counted_wan_cell) as counted_wan_text,
        if(counted_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, counted_cell) as counted_text,
        if(viability_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, viability_cell) as viability_text,
        if(infused_wan_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, infused_wan_cell) as infused_wan_text,
        if(dose_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, dose_cell) as dose_text,
        if(route_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, route_cell) as route_text,
        if(reaction_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, reaction_cell) as reaction_text,
        if(note_cell in ('', '-', '--', '—', '/', 'NULL', '无数据'), null, note_cell) as note
    from cells
),

typed as (
    select
        cleaned.*,
        case cleaned.sex_text when '男' then 'male' when '女' then 'female' end as sex_stated,
        try_cast(rtrim(translate(cleaned.age_text, '０１２３４５６７８９．', '0123456789.'), '岁') as double) as age_years_stated,
        try_cast(translate(cleaned.weight_text, '０１２３４５６７８９．', '0123456789.') as double) as weight_kg,
        try_cast(
            regexp_extract(translate(cleaned.ordinal_text, '０１２３４５６７８９', '0123456789'), '^第?(\d{1,2})(\.0+)?次?$', 1)
            as bigint
        ) as infusion_no,
        try_cast(translate(cleaned.counted_wan_text, '０１２３４５６７８９．', '0123456789.') as double) as counted_wan,
        try_cast(translate(cleaned.counted_text, '０１２３４５６７８９．', '0123456789.') as double) as counted_million,
        try_cast(translate(cleaned.viability_text, '０１２３４５６７８９．％', '0123456789.') as double) as viability_pct,
        try_cast(translate(cleaned.infused_wan_text, '０１２３４５６７８９．', '0123456789.') as double) as infused_wan,
        try_cast(translate(cleaned.dose_text, '０１２３４５６７８９．', '0123456789.') as double) as infused_million,
        case cleaned.source_text
            when '骨髓' then 'bone_marrow'
            when '脐带' then 'umbilical_cord'
        end as cell_source,
        case cleaned.route_text
            when '外周静脉' then 'peripheral_vein'
            when '肝动脉' then 'hepatic_artery'
        end as route_read,
        case cleaned.reaction_text
            when '无' then 'none'
            when '发热' then 'fever'
            when '寒战' then 'chills'
            when '皮疹' then 'rash'
        end as reaction_read,
        if(
            regexp_full_match(cleaned.infused_text, '\d{5}(\.0+)?'),
            date '1899-12-30' + cast(try_cast(cleaned.infused_text as double) as integer),
            cast(
                try_strptime(
                    cleaned.infused_text,
                    ['%Y-%m-%d', '%Y-%m-%d %H:%M:%S', '%Y/%m/%d', '%Y年%m月%d日', '%Y.%m.%d']
                ) as date
            )
        ) as infused_read,
        greatest(births.born_from, date '1950-01-01') as earliest,
        coalesce(batches.batch_on, date '9999-12-31') as latest
    from cleaned
    left join births on coalesce(cleaned.padded_patient_id, cleaned.patient_id) = births.patient_id
    left join batches on row_file(cleaned._row_id) = batches.file_id
),

dated as (
    select
        *,
        if(infused_read between earliest and latest, infused_read, null) as infused_on,
        coalesce(infused_read <> date '1900-01-01', infused_text is not null) as has_infused,
        regexp_matches(
            concat_ws(
                ' ',
                age_text,
                weight_text,
                ordinal_text,
                counted_wan_text,
                counted_text,
                viability_text,
                infused_wan_text,
                dose_text
            ),
            '[０-９．％]'
        ) as is_fullwidth,
        coalesce(counted_text, counted_wan_text) is not null as has_counted,
        coalesce(dose_text, infused_wan_text) is not null as has_dose,
        coalesce(counted_million, counted_wan / 100) as cells_counted_1e6,
        coalesce(infused_million, infused_wan / 100) as cells_infused_1e6
    from typed
)

select
    _row_id,
    patient_id,
    padded_patient_id,
    name_id,
    sex_stated,
    age_years_stated,
    diagnosis_text,
    weight_kg,
    infused_on,
    infusion_no,
    cell_source,
    batch_no,
    passage,
    cells_counted_1e6,
    viability_pct,
    cells_infused_1e6,
    coalesce(route_read, if(route_text is null, null, 'other')) as route,
    coalesce(reaction_read, if(reaction_text is null, null, 'other')) as adverse_reaction,
    note,
    if(is_fullwidth, 'fullwidth', null) as receipt,
    nullif(
        concat_ws(
            ',',
            if(sex_text is not null and sex_stated is null, 'sex_stated', null),
            if(age_text is not null and age_years_stated is null, 'age_years_stated', null),
            if(weight_text is not null and weight_kg is null, 'weight_kg', null),
            if(has_infused and infused_on is null, 'infused_on', null),
            if(ordinal_text is not null and infusion_no is null, 'infusion_no', null),
            if(source_text is not null and cell_source is null, 'cell_source', null),
            if(has_counted and cells_counted_1e6 is null, 'cells_counted_1e6', null),
            if(viability_text is not null and viability_pct is null, 'viability_pct', null),
            if(has_dose and cells_infused_1e6 is null, 'cells_infused_1e6', null)
        ),
        ''
    ) as unparsed
from dated
