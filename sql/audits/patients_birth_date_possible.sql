-- Front pages whose birth date cannot be, and whose valid identity number encodes the right one.
-- one row per such front page
select
    _row_id,
    case birth_problem
        when 'after_admission' then 'a birth date after the admission'
        else 'a birth date that is no day'
    end as observed,
    'birth_month' as column_name,
    cast(national_id_birth_month as varchar) as became,
    'The check character of the identity number is right, and the number encodes a birth date.' as evidence,
    'certain' as confidence
from staging.patients
where birth_problem is not null and birth_month is null and national_id_valid
