-- INR and prothrombin activity of one tube that no thromboplastin could give together: the activity expected from the
-- INR (a polynomial in its inverse) is off by more than the tolerance, and exchanging the two would put it right.
-- one row per violating result
with coefficients as (
    select
        max(value) filter (where item = 'cubic') as cubic,
        max(value) filter (where item = 'quadratic') as quadratic,
        max(value) filter (where item = 'linear') as linear,
        max(value) filter (where item = 'constant') as constant,
        max(value) filter (where item = 'tolerance') as tolerance
    from rules.definitions
    where definition = 'inr_pta'
),

pairs as (
    select
        labs.specimen_id,
        labs.patient_id,
        max(labs._row_id) filter (where loincs.analyte = 'inr') as inr_row,
        max(labs._row_id) filter (where loincs.analyte = 'pta') as pta_row,
        max(labs.value) filter (where loincs.analyte = 'inr') as inr,
        max(labs.value) filter (where loincs.analyte = 'pta') as pta
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    where loincs.analyte in ('inr', 'pta') and labs.operator = '=' and labs.value > 0 and labs.specimen_id is not null
    group by labs.specimen_id, labs.patient_id
    having
        max(labs.value) filter (where loincs.analyte = 'inr') is not null
        and max(labs.value) filter (where loincs.analyte = 'pta') is not null
),

expected as (
    select
        pairs.inr_row,
        pairs.pta_row,
        pairs.inr,
        pairs.pta,
        coefficients.tolerance,
        ((coefficients.cubic / pairs.inr + coefficients.quadratic) / pairs.inr + coefficients.linear) / pairs.inr
        + coefficients.constant as pta_of_inr,
        ((coefficients.cubic / pairs.pta + coefficients.quadratic) / pairs.pta + coefficients.linear) / pairs.pta
        + coefficients.constant as inr_of_pta
    from pairs
    cross join coefficients
),

violating as (
    select
        inr_row,
        pta_row,
        concat('INR ', inr, ' with PTA ', pta, ' %') as observed
    from expected
    where
        abs(pta - pta_of_inr) > tolerance * greatest(pta_of_inr, 1)
        and abs(inr - inr_of_pta) <= tolerance * greatest(inr_of_pta, 1)
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
