-- Results of tubes that look like another person's, each with what speaks for it and whether that is enough to set the
-- tube aside: two independent signals.
-- one row per result of such a tube
with needed as (
    select max(value) filter (where item = 'signals_min') as signals_min
    from rules.definitions
    where definition = 'specimen_mixup'
)

select
    labs._row_id,
    concat_ws(
        '; ',
        if(tubes.is_other_group, 'another blood group', null),
        if(tubes.is_other_sign, 'another sign of HBsAg or e antigen', null),
        concat(tubes.deltas, ' results far from those before and after')
    ) as observed,
    tubes.signals >= needed.signals_min as is_mixed_up
from audit.lab_tube_signals as tubes
inner join staging.labs as labs on tubes.specimen_id = labs.specimen_id
cross join needed
