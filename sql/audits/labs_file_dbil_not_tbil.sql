-- Direct bilirubin that repeats the total of its tube as text, in files where this is so in many tubes.
-- one row per such direct bilirubin
with results as (
    select
        labs._row_id,
        labs.specimen_id,
        labs.value,
        labs.value_text,
        loincs.analyte
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where
        loincs.analyte in ('bilirubin_total', 'bilirubin_direct', 'bilirubin_indirect')
        and labs.operator = '='
        and labs.specimen_id is not null
        and labs.specimen not in ('urine', 'ascites')
),

tubes as (
    select
        specimen_id,
        max(_row_id) filter (where analyte = 'bilirubin_direct') as direct_row,
        max(value) filter (where analyte = 'bilirubin_direct') as direct,
        max(value) filter (where analyte = 'bilirubin_total') as total,
        max(value) filter (where analyte = 'bilirubin_indirect') as indirect,
        max(value_text) filter (where analyte = 'bilirubin_direct') as direct_text,
        max(value_text) filter (where analyte = 'bilirubin_total') as total_text
    from results
    group by specimen_id
),

shares as (
    select
        max(value) filter (where definition = 'panels' and item = 'copied_file_share') as file_share,
        max(value) filter (where definition = 'bilirubin_balance' and item = 'indirect_share_min') as indirect_share_min
    from rules.definitions
),

told as (
    select
        tubes.direct_row,
        row_file(tubes.direct_row) as file_id,
        tubes.direct_text = tubes.total_text and tubes.indirect > tubes.total * shares.indirect_share_min as is_copied
    from tubes
    cross join shares
    where tubes.direct_text is not null and tubes.total_text is not null and tubes.indirect is not null
),

files as (
    select
        file_id,
        avg(cast(is_copied as integer)) as copied_share
    from told
    group by file_id
)

select
    told.direct_row as _row_id,
    'repeats the total bilirubin, as in much of the file' as observed
from told
inner join files on told.file_id = files.file_id
cross join shares
where told.is_copied and files.copied_share > shares.file_share
