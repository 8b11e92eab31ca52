-- INR and prothrombin activity of one tube that were exchanged: the INR exceeds the activity, and the other way round
-- they agree better; where the INR is above what can be measured, or where the patient's INR before and after are near
-- the number given as activity and far from that given as INR, agreeing within a factor is enough. The activity that is
-- expected from an INR is a polynomial in its inverse. A pair apart for another reason is not listed: nobody could say
-- which of the two is wrong.
-- one row per INR and one per activity of such a tube
with relation as (
    select
        max(value) filter (where item = 'c3') as c3,
        max(value) filter (where item = 'c2') as c2,
        max(value) filter (where item = 'c1') as c1,
        max(value) filter (where item = 'c0') as c0,
        max(value) filter (where item = 'tolerance') as tolerance,
        max(value) filter (where item = 'exchanged_factor') as exchanged_factor
    from rules.definitions
    where definition = 'pta_from_inr'
),

highest as (
    select high as inr
    from rules.analyte_limits
    where analyte = 'inr'
),

results as (
    select
        labs._row_id,
        labs.specimen_id,
        loincs.analyte,
        labs.value
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('inr', 'pta') and labs.operator = '=' and labs.value > 0 and labs.specimen_id is not null
),

tubes as (
    select
        max(_row_id) filter (where analyte = 'inr') as inr_row,
        max(_row_id) filter (where analyte = 'pta') as pta_row,
        max(value) filter (where analyte = 'inr') as inr,
        max(value) filter (where analyte = 'pta') as pta
    from results
    group by specimen_id
    having inr_row is not null and pta_row is not null
),

expected as (
    select
        tubes.*,
        relation.tolerance,
        relation.exchanged_factor,
        highest.inr as highest_inr,
        greatest(
            ((relation.c3 / tubes.inr + relation.c2) / tubes.inr + relation.c1) / tubes.inr + relation.c0, 1
        ) as pta_of_inr,
        greatest(
            ((relation.c3 / tubes.pta + relation.c2) / tubes.pta + relation.c1) / tubes.pta + relation.c0, 1
        ) as pta_of_exchanged
    from tubes
    cross join relation
    cross join highest
),

distances as (
    select
        expected.*,
        abs(ln(expected.pta / expected.pta_of_inr)) as distance,
        abs(ln(expected.inr / expected.pta_of_exchanged)) as distance_exchanged,
        least(courses.value_before, courses.value_after) as lowest_beside,
        greatest(courses.value_before, courses.value_after) as highest_beside
    from expected
    left join audit.lab_courses as courses on expected.inr_row = courses._row_id
),

violating as (
    select
        inr_row,
        pta_row,
        concat('INR ', inr, ' with activity ', pta, ' %') as observed
    from distances
    where
        inr > pta
        and (
            (inr > highest_inr and distance_exchanged <= ln(exchanged_factor))
            or (
                distance_exchanged <= ln(exchanged_factor)
                and inr > highest_beside * exchanged_factor
                and highest_beside <= pta * exchanged_factor
                and lowest_beside * exchanged_factor >= pta
            )
            or (distance > ln(1 + tolerance) and distance_exchanged < distance)
        )
)

select
    inr_row as _row_id,
    observed
from violating
union all
select
    pta_row as _row_id,
    observed
from violating
