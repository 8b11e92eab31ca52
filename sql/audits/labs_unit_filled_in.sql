-- Numbers without a unit whose printed range of reference is that of exactly one unit of their analyte. An index or a
-- ratio, which is read without a unit, lacks none.
-- one row per result whose unit is filled in
select
    labs._row_id,
    concat(labs.value_text, ' without a unit') as observed,
    'unit' as column_name,
    printed.unit as became,
    concat('the printed range ', labs.ref_text, ' is that of ', printed.unit, ' and of no other unit') as evidence,
    'strong' as confidence
from staging.labs as labs
inner join audit.lab_printed_units as printed on labs.loinc = printed.loinc and labs.ref_text = printed.ref_text
where
    labs.unit_text is null
    and labs.unit is null
    and labs.value is not null
    and labs.specimen not in ('urine', 'ascites')
