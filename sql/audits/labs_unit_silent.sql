-- Results that may be in another unit than the printed one without enough agreement to put it right: a printed range of
-- the other unit alone, a number too low for its unit alone, or a difference that a moved decimal point makes as well.
-- A jump alone is not enough to accuse a result.
-- one row per violating result
select
    suspects._row_id,
    concat(
        suspects.value_text, ' in ', suspects.unit, ', or in ', suspects.other_unit, ', that is ',
        round(suspects.other_value, 1), ' in ', analytes.unit,
        if(suspects.is_range, concat('; printed range ', suspects.ref_text), '')
    ) as observed
from audit.lab_unit_signals as suspects
inner join rules.analytes as analytes on suspects.analyte = analytes.analyte
where suspects.is_range or suspects.is_magnitude or (suspects.is_jump and suspects.is_sibling)
