-- Results that may be in another accepted unit than the printed one, each with the signals for that unit: the printed
-- range is of the other unit; the number is too low for the printed unit (creatinine, albumin, haemoglobin); the value
-- is off by the factor between the units from the patient's nearest results before and after, and like no result
-- around them (else it is the neighbour that is odd); what its tube says about it (bilirubins, proteins, red cells,
-- urea). Bilirubin has no signal of magnitude; one bilirubin of a tube is in the unit in which it adds up with the two
-- others. What was put right already is in another unit than the printed one, and is no suspect of the printed one.
-- one row per suspect result
with jump as (
    select
        max(value) filter (where item = 'spread') as spread,
        max(value) filter (where item = 'hours') as hours
    from rules.definitions
    where definition = 'unit_jump'
),

siblings as (
    select
        max(value) filter (where item = 'tolerance') as tolerance,
        max(value) filter (where item = 'cell_haemoglobin_g_l') as cell_haemoglobin,
        max(value) filter (where item = 'cell_tolerance') as cell_tolerance,
        max(value) filter (where item = 'creatinine_to_urea_min') as urea_ratio_min,
        max(value) filter (where item = 'creatinine_to_urea_max') as urea_ratio_max
    from rules.definitions
    where definition = 'unit_siblings'
),

lowest as (
    select
        item as analyte,
        value as too_low
    from rules.definitions
    where definition = 'unit_by_magnitude'
),

printed_units as (
    select * from audit.lab_printed_units
),

spelt as (
    select
        unit_text,
        mode(unit) as unit
    from staging.labs
    where unit_text is not null and unit is not null
    group by unit_text
),

measured as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        labs.collected_at,
        labs.loinc,
        labs.ref_text,
        labs.value_text,
        labs.unit_text,
        labs.unit,
        labs.value,
        loincs.analyte,
        units.factor,
        labs.value * units.factor as stated
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    inner join rules.analyte_units as units on loincs.analyte = units.analyte and labs.unit = units.unit
    where
        labs.operator = '='
        and labs.value > 0
        and labs.specimen not in ('urine', 'ascites')
        and loincs.analyte in (
            select usual.item
            from rules.definitions as usual
            where usual.definition = 'reference_upper'
        )
),

by_range as (
    select
        measured._row_id,
        printed_units.unit as other_unit
    from measured
    inner join printed_units on measured.loinc = printed_units.loinc and measured.ref_text = printed_units.ref_text
    where measured.factor <> printed_units.factor
),

by_magnitude as (
    select
        measured._row_id,
        min(others.unit) as other_unit
    from measured
    inner join lowest on measured.analyte = lowest.analyte
    inner join rules.analyte_limits as limits on measured.analyte = limits.analyte
    inner join rules.analyte_units as others on measured.analyte = others.analyte
    where
        measured.factor = 1
        and measured.value < lowest.too_low
        and others.factor <> 1
        and measured.value * others.factor between limits.low and limits.high
    group by measured._row_id
    having count(distinct others.factor) = 1
),

bilirubins as (
    select
        measured._row_id,
        measured.patient_id,
        measured.collected_at,
        measured.stated,
        measured.factor,
        measured.analyte,
        lag(measured.stated) over course as stated_before,
        lag(measured.collected_at) over course as before_at,
        lead(measured.stated) over course as stated_after,
        lead(measured.collected_at) over course as after_at
    from measured
    where starts_with(measured.analyte, 'bilirubin') and measured.collected_at is not null
    window
        course as (
            partition by measured.patient_id, measured.analyte
            order by measured.collected_at, measured._row_id
        )
),

by_course as (
    select
        bilirubins._row_id,
        others.unit as other_unit
    from bilirubins
    cross join jump
    inner join rules.analyte_units as others
        on bilirubins.analyte = others.analyte and bilirubins.factor <> others.factor
    where
        (
            bilirubins.before_at >= bilirubins.collected_at - to_hours(cast(jump.hours as integer))
            and bilirubins.stated_before / bilirubins.stated
            between others.factor / bilirubins.factor / jump.spread
            and others.factor / bilirubins.factor * jump.spread
        )
        or (
            bilirubins.after_at <= bilirubins.collected_at + to_hours(cast(jump.hours as integer))
            and bilirubins.stated_after / bilirubins.stated
            between others.factor / bilirubins.factor / jump.spread
            and others.factor / bilirubins.factor * jump.spread
        )
),

by_tube as (
    select
        others._row_id,
        told.other_unit
    from (
        select * from by_range
        union
        select * from by_course
    ) as told
    inner join measured on told._row_id = measured._row_id and starts_with(measured.analyte, 'bilirubin')
    inner join measured as others
        on
            measured.specimen_id = others.specimen_id
            and starts_with(others.analyte, 'bilirubin')
            and measured.factor = others.factor
),

suspects as (
    select * from by_range
    union
    select * from by_magnitude
    union
    select * from by_course
    union
    select * from by_tube
),

suspected as (
    select
        measured.*,
        suspects.other_unit,
        measured.value * others.factor as other_value,
        others.factor / measured.factor as ratio
    from suspects
    inner join measured on suspects._row_id = measured._row_id
    inner join rules.analyte_units as others
        on measured.analyte = others.analyte and suspects.other_unit = others.unit
    left join spelt on measured.unit_text = spelt.unit_text
    where suspects.other_unit is distinct from spelt.unit
),

near as (
    select
        suspected._row_id,
        suspected.other_unit,
        suspected.ratio,
        suspected.stated,
        neighbours.collected_at < suspected.collected_at as is_before,
        neighbours.stated as neighbour,
        neighbours.collected_at
        between suspected.collected_at - to_hours(cast(jump.hours as integer))
        and suspected.collected_at + to_hours(cast(jump.hours as integer)) as is_near,
        row_number() over (
            partition by suspected._row_id, suspected.other_unit, neighbours.collected_at < suspected.collected_at
            order by abs(epoch(neighbours.collected_at) - epoch(suspected.collected_at)), neighbours._row_id
        ) as place
    from suspected
    cross join jump
    inner join measured as neighbours
        on
            suspected.patient_id = neighbours.patient_id
            and suspected.analyte = neighbours.analyte
            and suspected._row_id <> neighbours._row_id
            and neighbours.collected_at
            between suspected.collected_at - to_hours(cast(jump.hours + jump.hours as integer))
            and suspected.collected_at + to_hours(cast(jump.hours + jump.hours as integer))
    anti join by_range on neighbours._row_id = by_range._row_id
    anti join by_magnitude on neighbours._row_id = by_magnitude._row_id
),

told as (
    select
        near.*,
        near.place = 1 and near.is_near as is_asked,
        near.neighbour / near.stated between near.ratio / jump.spread and near.ratio * jump.spread as is_off,
        near.neighbour / near.stated between 1 / jump.spread and jump.spread as is_like
    from near
    cross join jump
),

jumps as (
    select
        _row_id,
        other_unit,
        bool_and(is_off) filter (where is_asked) and not bool_or(is_like) as is_jump,
        max(neighbour) filter (where is_asked and is_before) as value_before,
        max(neighbour) filter (where is_asked and not is_before) as value_after
    from told
    group by _row_id, other_unit
),

tubes as (
    select
        measured.specimen_id,
        max(measured.stated) filter (where measured.analyte = 'bilirubin_total') as total,
        max(measured.stated) filter (where measured.analyte = 'bilirubin_direct') as direct,
        max(measured.stated) filter (where measured.analyte = 'bilirubin_indirect') as indirect,
        max(measured.stated) filter (where measured.analyte = 'protein_total') as protein,
        max(measured.stated) filter (where measured.analyte = 'globulin') as globulin,
        max(measured.stated) filter (where measured.analyte = 'hematocrit') as hematocrit,
        max(measured.stated) filter (where measured.analyte = 'urea') as urea
    from measured
    semi join suspected on measured.specimen_id = suspected.specimen_id
    group by measured.specimen_id
),

expected as (
    select
        suspected._row_id,
        suspected.other_unit,
        tubes.urea,
        case suspected.analyte
            when 'bilirubin_total' then tubes.direct + tubes.indirect
            when 'bilirubin_direct' then tubes.total - tubes.indirect
            when 'bilirubin_indirect' then tubes.total - tubes.direct
            when 'albumin' then tubes.protein - tubes.globulin
            when 'hemoglobin' then tubes.hematocrit * siblings.cell_haemoglobin
        end as value_expected,
        if(suspected.analyte = 'hemoglobin', siblings.cell_tolerance, siblings.tolerance) as tolerance
    from suspected
    inner join tubes on suspected.specimen_id = tubes.specimen_id
    cross join siblings
),

signals as (
    select
        suspected.*,
        jumps.value_before,
        jumps.value_after,
        by_range._row_id is not null as is_range,
        by_magnitude._row_id is not null as is_magnitude,
        coalesce(jumps.is_jump, false) as is_jump,
        coalesce(
            case
                when suspected.analyte = 'creatinine'
                    then
                        suspected.other_value / expected.urea
                        between siblings.urea_ratio_min and siblings.urea_ratio_max
                        and suspected.stated / expected.urea
                        not between siblings.urea_ratio_min and siblings.urea_ratio_max
                else
                    abs(suspected.other_value - expected.value_expected)
                    <= expected.value_expected * expected.tolerance
                    and abs(suspected.stated - expected.value_expected)
                    > expected.value_expected * expected.tolerance
            end,
            false
        ) as is_balanced
    from suspected
    cross join siblings
    left join by_range on suspected._row_id = by_range._row_id and suspected.other_unit = by_range.other_unit
    left join by_magnitude
        on suspected._row_id = by_magnitude._row_id and suspected.other_unit = by_magnitude.other_unit
    left join jumps on suspected._row_id = jumps._row_id and suspected.other_unit = jumps.other_unit
    left join expected on suspected._row_id = expected._row_id and suspected.other_unit = expected.other_unit
),

together as (
    select
        *,
        starts_with(analyte, 'bilirubin') as is_bilirubin,
        count(*) filter (where is_range or is_jump) over tube as like_items,
        max(other_value) filter (where analyte = 'bilirubin_total' and (is_range or is_jump)) over tube
            as other_total,
        max(other_value) filter (where analyte = 'bilirubin_direct' and (is_range or is_jump)) over tube
            as other_direct,
        max(other_value) filter (where analyte = 'bilirubin_indirect' and (is_range or is_jump)) over tube
            as other_indirect,
        count(*) over (partition by _row_id) as other_units
    from signals
    window tube as (partition by specimen_id, other_unit, starts_with(analyte, 'bilirubin'))
),

added as (
    select
        *,
        case analyte
            when 'bilirubin_total' then other_direct + other_indirect
            when 'bilirubin_direct' then other_total - other_indirect
            when 'bilirubin_indirect' then other_total - other_direct
        end as other_expected,
        is_balanced
        or (is_bilirubin and specimen_id is not null and like_items > cast(is_range or is_jump as integer))
            as is_sibling
    from together
    where other_units = 1
),

fitted as (
    select
        added.*,
        coalesce(
            added.specimen_id is not null
            and not (added.is_range or added.is_jump)
            and abs(added.other_value - added.other_expected) <= added.other_expected * siblings.tolerance,
            false
        ) as is_sum
    from added
    cross join siblings
)

select
    _row_id,
    analyte,
    value_text,
    unit_text,
    unit,
    other_unit,
    other_value,
    ratio,
    ref_text,
    value_before,
    value_after,
    is_range,
    is_magnitude,
    is_jump,
    is_sibling,
    is_sum,
    cast(is_range as integer) + cast(is_magnitude as integer) + cast(is_jump as integer)
    + cast(is_sibling as integer) + cast(is_sum as integer) as signals
from fitted
where is_range or is_magnitude or is_jump or is_sibling
