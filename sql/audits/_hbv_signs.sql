-- Results of HBsAg and HBeAg as signs: positive by their words or at the cut-off of their assay, negative below it;
-- what is neither (a limit above the cut-off, a damaged specimen) is no sign. Each with the patient's signs before and
-- after.
-- one row per result that is a sign
with cutoffs as (
    select
        item as analyte,
        value as cutoff
    from rules.definitions
    where definition = 'antigen_signs'
),

results as (
    select
        labs._row_id,
        labs.patient_id,
        labs.specimen_id,
        labs.collected_at,
        labs.value,
        labs.value_text,
        labs.unit_text,
        labs.text_result,
        labs.operator in ('<', '<=') as is_upper_bound,
        if(loincs.analyte = 'hbeag', 'hbeag', 'hbsag') as antigen,
        cutoffs.cutoff
    from staging.labs as labs
    inner join rules.analyte_loinc as loincs on labs.loinc = loincs.loinc
    inner join cutoffs on loincs.analyte = cutoffs.analyte
    where
        labs.specimen not in ('urine', 'ascites')
        and labs.collected_at is not null
),

signs as (
    select
        *,
        case
            when text_result in ('positive', 'weakly_positive') then true
            when text_result = 'negative' then false
            when value < cutoff or (is_upper_bound and value <= cutoff) then false
            when value >= cutoff and not coalesce(is_upper_bound, false) then true
        end as is_positive
    from results
)

select
    _row_id,
    patient_id,
    specimen_id,
    antigen,
    collected_at,
    concat_ws(' ', value_text, unit_text) as result_text,
    is_positive,
    lag(is_positive) over course as positive_before,
    lag(collected_at) over course as before_at,
    lead(is_positive) over course as positive_after,
    lead(collected_at) over course as after_at
from signs
where is_positive is not null
window course as (partition by patient_id, antigen order by collected_at, _row_id)
