"""Other values of a parameter: tried on the whole way from the query on, counted, and undone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest

from aclf_pipeline.contracts.selection import ParameterChoices, ParameterMembers
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.quality.choices import Rebuild, affected_by, parameter_choices, selected
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.science.cohort import who_and_when
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import Model
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline_tests.science.drawing import draw

AS_OF = date(2014, 12, 31)
WORDS = {"says": "…", "because": "…"}
PEOPLE = draw(
    """
    candidate_id | infusions | first      | second     | death      | last       | left
    a            | 2         | 2014-03-05 | 2014-03-12 | 2014-03-22 | 2014-03-20 | no
    b            | 2         | 2014-03-05 | 2014-03-12 |            | 2014-03-19 | yes
    c            | 2         | 2014-03-05 | 2014-03-12 |            | 2014-04-01 | no
    d            | 2         | 2014-03-05 | 2014-03-12 |            | 2014-11-01 | no
    e            | 1         | 2014-03-05 |            | 2014-03-09 | 2014-03-08 | no
    """,
    infusions=pl.Int64,
    left=pl.Boolean,
    **dict.fromkeys(("first", "second", "death", "last"), pl.Date),
)
COURSES = """
    select *, (select value from rules.parameters where parameter = 'min_infusions') as asked from core.people
"""
CANDIDATES = """
    select candidate_id, if(asked = 1, first, second) as time_zero, death as death_on, death as death_from,
        death as death_to, cast(null as date) as transplant_on, cast(null as date) as transplant_from,
        cast(null as date) as transplant_to, last as last_alive_on, "left" as left_without_follow_up,
        cast(null as boolean) as aclf
    from intermediate.courses
"""
MODELS = [
    Model("intermediate", "courses", None, COURSES, "…", "…", parents=("rules.parameters", "core.people")),
    Model("intermediate", "other", None, "select 1 as one", "…", "…", parents=("rules.parameters",)),
    Model("marts", "candidates", None, CANDIDATES, "…", "…", parents=("intermediate.courses",)),
]


def protocol(**sensitivity: list[object]) -> Protocol:
    values = {"min_infusions": 2, "lost_to_follow_up": "censor", "against_advice": "censor", "unread": 1}
    return Protocol.model_validate(
        {
            "analytes": {}, "definitions": {}, "rules": {}, "waivers": [], "codelists": {}, "analysis": [],
            "digest": "…",
            "study": {
                "id": "s", "title": "…", "source": "his", "as_of": AS_OF, "time_zero": "…",
                "baseline": {}, "covariates": {},
                "parameters": {name: {"value": value, "sensitivity": sensitivity.get(name, []), **WORDS}
                               for name, value in values.items()},
                "eligibility": [{"id": "one_infusion", "keep": "time_zero is not null", **WORDS}],
                "endpoints": {"death_28d": {"says": "…", "event": "death", "horizon_days": 28, "primary": True}},
            },
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def wh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path_factory.mktemp("choices") / "w.duckdb") as wh:
        wh.write("core.people", PEOPLE)
        load_rules(wh, protocol())
        for model in (MODELS[0], MODELS[2]):
            wh.execute(f"create table {model.table} as {model.sql}")
        yield wh


def tried(wh: Warehouse, **sensitivity: list[object]) -> tuple[pl.DataFrame, pl.DataFrame]:
    asked = protocol(**sensitivity)
    as_is = selected(*who_and_when(wh.frame("select * from marts.candidates"), asked.study, AS_OF))
    counts, members = parameter_choices(wh, asked, Rebuild(MODELS, {}, AS_OF), as_is)
    assert check_table(counts, ParameterChoices) == []
    assert check_table(members, ParameterMembers) == []
    return counts, members


def counted(counts: pl.DataFrame) -> tuple[int, ...]:
    return counts.select("members", "entering", "leaving", "retimed", "deaths", "deaths_then", "deaths_entering").row(0)


def test_what_reads_a_parameter_and_all_below_it_is_built_again() -> None:
    assert [model.table for model in affected_by(MODELS, "min_infusions")] == [
        "intermediate.courses",
        "marts.candidates",
    ]
    assert affected_by(MODELS, "infusions") == []


def test_another_value_is_carried_through_the_queries_and_undone(wh: Warehouse) -> None:
    before = wh.frame("select * from marts.candidates"), wh.frame("select * from rules.parameters")
    counts, members = tried(wh, min_infusions=[1])
    assert counted(counts) == (5, 1, 0, 4, 1, 2, 1)
    changed = {row["candidate_id"]: row for row in members.iter_rows(named=True)}
    assert (changed["e"]["change"], changed["e"]["reason"], changed["e"]["event_then"]) == (
        "enters",
        "one_infusion",
        "death",
    )
    assert (changed["a"]["change"], changed["a"]["event_days"], changed["a"]["event_days_then"]) == ("retimed", 10, 17)
    assert before[0].equals(wh.frame("select * from marts.candidates"))
    assert before[1].equals(wh.frame("select * from rules.parameters"))


def test_who_is_lost_before_the_primary_horizon_leaves_as_the_registry_says(wh: Warehouse) -> None:
    counts, members = tried(wh, lost_to_follow_up=["exclude"])
    assert counted(counts)[:4] == (2, 0, 2, 0)
    assert members.select("candidate_id", "change", "reason").rows() == [
        ("b", "leaves", "lost_to_follow_up"),
        ("c", "leaves", "lost_to_follow_up"),
    ]


def test_who_left_against_advice_may_be_counted_dead_on_leaving(wh: Warehouse) -> None:
    counts, members = tried(wh, against_advice=["death"])
    assert counted(counts)[3:6] == (1, 1, 2)
    assert members.select("candidate_id", "event", "event_then", "event_days_then").rows() == [
        ("b", "censored", "death", 7)
    ]


def test_a_parameter_nothing_reads_is_said_to_change_nothing(wh: Warehouse) -> None:
    counts, members = tried(wh, unread=[2])
    assert counts["remark"].to_list() == ["no table reads this parameter: another value changes nothing"]
    assert members.is_empty()


def test_a_study_without_other_values_has_empty_tables(wh: Warehouse) -> None:
    counts, members = tried(wh)
    assert (counts.height, members.height) == (0, 0)
