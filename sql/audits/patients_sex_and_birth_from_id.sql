-- Sex and birth month that contradict a valid identity number with which the laboratory's sex and ages agree.
-- one row per front page and column
with agreement as (
    select max(value) filter (where item = 'laboratory_share_min') as share_min
    from rules.definitions
    where definition = 'identity'
)

select
    conflicts._row_id,
    concat(
        replace(conflicts.column_name, '_', ' '),
        ' ',
        conflicts.stated,
        ', the identity number says ',
        conflicts.encoded
    ) as observed,
    conflicts.column_name,
    conflicts.encoded as became,
    concat(
        'The check character of the identity number is right, and the ',
        case conflicts.column_name when 'sex' then 'sex' else 'ages' end,
        ' on laboratory results agree with it',
        case when conflicts.stated_share >= agreement.share_min then ' as well as with what is stated' end,
        '.'
    ) as evidence,
    case when conflicts.stated_share >= agreement.share_min then 'moderate' else 'strong' end as confidence
from audit.identity_conflicts as conflicts
inner join staging.patients as patients on conflicts._row_id = patients._row_id
cross join agreement
where conflicts.encoded_share >= agreement.share_min
