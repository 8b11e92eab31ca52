-- What one tube says about its own balance: bilirubins, proteins and white cells in the analyte's unit, with their
-- rows.
-- one row per tube
with results as (
    select
        labs._row_id,
        labs.specimen_id,
        loincs.analyte,
        labs.value * units.factor as value
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    inner join rules.analyte_units as units on loincs.analyte = units.analyte and labs.unit = units.unit
    where
        loincs.analyte in (
            'bilirubin_total', 'bilirubin_direct', 'bilirubin_indirect', 'protein_total', 'albumin', 'globulin', 'wbc',
            'neutrophils', 'neutrophils_pct', 'lymphocytes', 'lymphocytes_pct'
        )
        and labs.operator = '='
        and labs.specimen_id is not null
        and labs.specimen not in ('urine', 'ascites')
)

select
    specimen_id,
    max(value) filter (where analyte = 'bilirubin_total') as total,
    max(_row_id) filter (where analyte = 'bilirubin_total') as total_row,
    max(value) filter (where analyte = 'bilirubin_direct') as direct,
    max(_row_id) filter (where analyte = 'bilirubin_direct') as direct_row,
    max(value) filter (where analyte = 'bilirubin_indirect') as indirect,
    max(_row_id) filter (where analyte = 'bilirubin_indirect') as indirect_row,
    max(value) filter (where analyte = 'protein_total') as protein,
    max(_row_id) filter (where analyte = 'protein_total') as protein_row,
    max(value) filter (where analyte = 'albumin') as albumin,
    max(_row_id) filter (where analyte = 'albumin') as albumin_row,
    max(value) filter (where analyte = 'globulin') as globulin,
    max(_row_id) filter (where analyte = 'globulin') as globulin_row,
    max(value) filter (where analyte = 'wbc') as wbc,
    max(value) filter (where analyte = 'neutrophils') as neutrophils,
    max(_row_id) filter (where analyte = 'neutrophils') as neutrophils_row,
    max(value) filter (where analyte = 'neutrophils_pct') as neutrophils_pct,
    max(value) filter (where analyte = 'lymphocytes') as lymphocytes,
    max(_row_id) filter (where analyte = 'lymphocytes') as lymphocytes_row,
    max(value) filter (where analyte = 'lymphocytes_pct') as lymphocytes_pct
from results
group by specimen_id
