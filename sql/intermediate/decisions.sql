-- What holds on each question that the record could not settle: the decision, or the default while there is none. Where
-- two record numbers of a person raise one question, a decision stands before a default.
-- one row per person and question
with persons as (
    select
        patient_id,
        person_id
    from intermediate.persons
),

cases as (
    select
        persons.person_id,
        cases.question,
        cases.in_force as choice,
        row_number() over (
            partition by persons.person_id, cases.question
            order by cases.state = 'decided' desc, cases.patient_id
        ) as place
    from quality.cases as cases
    inner join persons on cases.patient_id = persons.patient_id
)

select
    person_id,
    question,
    choice
from cases
where place = 1
