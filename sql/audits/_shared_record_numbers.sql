-- Record numbers under which two persons stand: two valid identity numbers, or two front pages of which the names
-- differ and sex or birth month too while no equal identity number speaks for one person. One deviation alone is a
-- mistake on a page, not another person.
-- one row per record number that two persons share
with pages as (
    select
        _row_id,
        patient_id,
        case when national_id_valid then national_id end as national_id,
        name_id,
        nullif(sex, 'unknown') as sex,
        birth_month
    from staging.patients
),

contradicting as (
    select
        one.patient_id,
        coalesce(one.national_id <> other.national_id, false) as has_two_identity_numbers
    from pages as one
    inner join pages as other on one.patient_id = other.patient_id and one._row_id < other._row_id
    where
        one.national_id <> other.national_id
        or (
            one.name_id <> other.name_id
            and (one.sex <> other.sex or one.birth_month <> other.birth_month)
            and (one.national_id = other.national_id) is distinct from true
        )
)

select
    patient_id,
    case
        when bool_or(has_two_identity_numbers) then 'two valid identity numbers under one record number'
        else 'front pages of one record number differ in name and in sex or birth month'
    end as observed
from contradicting
group by patient_id
