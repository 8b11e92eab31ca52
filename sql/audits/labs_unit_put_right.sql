-- Results in another unit than the printed one, where enough independent signals agree on the other unit. The number
-- stays, the unit changes. A tenfold difference is also that of a moved decimal point: where points are known to move,
-- the printed range must be among the signals.
-- one row per result whose unit is put right
with needed as (
    select
        max(value) filter (where item = 'repaired_from') as repaired_from,
        max(value) filter (where item = 'certain_from') as certain_from
    from rules.definitions
    where definition = 'unit_signals'
),

points as (
    select
        item as analyte,
        value as factor
    from rules.definitions
    where definition = 'decimal_point'
),

suspects as (
    select * from audit.lab_unit_signals
)

select
    suspects._row_id,
    concat(suspects.value_text, ' printed in ', suspects.unit_text) as observed,
    'unit' as column_name,
    suspects.other_unit as became,
    concat(
        concat_ws(
            '; ',
            if(
                suspects.is_range,
                concat('the printed range ', suspects.ref_text, ' is that of ', suspects.other_unit),
                null
            ),
            if(suspects.is_magnitude, concat('the number is too low for ', suspects.unit), null),
            if(
                suspects.is_jump,
                concat(
                    'the patient had ',
                    concat_ws(' before and ', round(suspects.value_before, 1), round(suspects.value_after, 1)),
                    if(suspects.value_before is null, ' after', if(suspects.value_after is null, ' before', ' after'))
                ),
                null
            ),
            if(suspects.is_sibling, 'the other results of the tube agree', null),
            if(suspects.is_sum, 'it adds up with them', null)
        ),
        concat(', so it is ', round(suspects.other_value, 1), ' in ', analytes.unit)
    ) as evidence,
    case
        when suspects.signals >= needed.certain_from then 'certain'
        when suspects.is_range then 'strong'
        else 'moderate'
    end as confidence
from suspects
inner join rules.analytes as analytes on suspects.analyte = analytes.analyte
cross join needed
left join points on suspects.analyte = points.analyte
where
    suspects.signals >= needed.repaired_from
    and (suspects.is_range or points.factor is null or points.factor <> suspects.ratio)
