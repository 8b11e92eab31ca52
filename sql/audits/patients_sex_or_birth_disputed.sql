-- Front pages whose sex or birth month contradicts a valid identity number, and nothing of the laboratory settles it.
-- one row per front page and conflict
select
    conflicts._row_id,
    concat(
        replace(conflicts.column_name, '_', ' '),
        ' ',
        conflicts.stated,
        ', the identity number says ',
        conflicts.encoded,
        case
            when conflicts.encoded_share is null then ', the laboratory says nothing'
            when conflicts.stated_share > conflicts.encoded_share then ', the laboratory agrees with what is stated'
            else ', the laboratory agrees with neither throughout'
        end
    ) as observed
from audit.identity_conflicts as conflicts
inner join staging.patients as patients on conflicts._row_id = patients._row_id
