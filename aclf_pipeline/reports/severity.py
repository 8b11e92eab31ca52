"""Sections of the study page on how ill the population is: definitions, organs, grades, and the formulas' check values.

What does not belong here: counting (science) and any cut-off (the protocol).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.page import Section

NAMES = {
    "apasl": "APASL",
    "cossh": "COSSH",
    "easl_clif": "EASL-CLIF",
    "cn_2012": "Chinese 2012",
    "total": "CLIF-C OF, total",
    "grade": "EASL-CLIF grade",
}
POPULATIONS = {"candidates": "All candidates", "cirrhosis": "With cirrhosis", "cohort": "The cohort"}


def severity_sections(
    overlap: pl.DataFrame, organs: pl.DataFrame, grades: pl.DataFrame, checks: pl.DataFrame
) -> tuple[Section, ...]:
    """The sections, each with every population. Columns as `science.severity` and `science.check_values` give them."""
    people = dict(organs.filter(pl.col("n") > 0).select("population", "n").unique().iter_rows())
    titled = {
        population: f"{says} ({tables.count(people[population])})"
        for population, says in POPULATIONS.items()
        if population in people
    }
    made = (_overlap(titled, overlap), _organs(titled, organs), _grades(titled, grades))
    return (*(section for section in made if section.frame.height), _checks(checks))


def _name(name: str) -> str:
    return NAMES.get(name, tables.words(name))


def _of_each(titled: Mapping[str, str], frame: pl.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of every population; its title stands in the first row of it."""
    for population, title in titled.items():
        own = frame.filter(pl.col("population") == population)
        for place, row in enumerate(own.iter_rows(named=True)):
            yield ("" if place else title), row


def _overlap(titled: Mapping[str, str], overlap: pl.DataFrame) -> Section:
    """The matrix: who meets the definition of the row, and of these the definition of the column."""
    rows: list[dict[str, str]] = []
    definitions = overlap["definition"].unique(maintain_order=True).to_list()
    for title, row in _of_each(titled, overlap):
        if row["other"] == definitions[0]:
            met = {
                "Met": tables.n_percent(row["met"], row["n"]),
                "Open": tables.n_percent(row["undecided"], row["n"]),
            }
            rows.append({"Population": title, "Definition": _name(row["definition"]), **met})
        same = row["other"] == row["definition"]
        rows[-1][f"Also {_name(row['other'])}"] = "–" if same else _both(row)
    return Section(
        "definitions-of-aclf",
        "Definitions of ACLF",
        "Of those who surely meet the definition of the row, how many surely meet that of the column, and of how many "
        "that one is open. A definition is open for a patient where a missing value decides.",
        pl.DataFrame(rows),
    )


def _both(row: Mapping[str, int]) -> str:
    both = f"{tables.count(row['both'])} of {tables.count(row['met'])}"
    return f"{both} (+{tables.count(row['other_undecided'])} open)" if row["other_undecided"] else both


def _organs(titled: Mapping[str, str], organs: pl.DataFrame) -> Section:
    rows = [
        {
            "Population": title,
            "Organ": _name(row["part"]),
            "Not measured": tables.n_percent(row["unmeasured"], row["n"]),
            "Known as bounds only": tables.n_percent(row["bounded"], row["n"]),
            "Surely failing": tables.n_percent(row["failing"], row["n"]),
            "Surely or possibly failing": tables.n_percent(row["may_fail"], row["n"]),
        }
        for title, row in _of_each(titled, organs)
    ]
    return Section(
        "organs",
        "Organs measured and failing",
        "By CLIF-C OF at baseline. An organ that was not measured is not counted as working: its subscore is anything "
        "from 1 to 3, and score and grade are bounds. Of total and grade, a patient counts where some organ does; the "
        "grade counts as failing from 1 on.",
        pl.DataFrame(rows),
    )


def _grades(titled: Mapping[str, str], grades: pl.DataFrame) -> Section:
    totals = dict(grades.group_by("population").agg(pl.col("n").sum()).iter_rows())
    rows = [
        {
            "Population": title,
            "EASL-CLIF grade": str(row["grade_low"])
            if row["grade_low"] == row["grade_high"]
            else f"{row['grade_low']} to {row['grade_high']}",
            "Members": tables.n_percent(row["n"], totals[row["population"]]),
        }
        for title, row in _of_each(titled, grades)
    ]
    return Section(
        "grades",
        "EASL-CLIF grades",
        "Exact where every organ that could change the grade was measured, else the lowest and highest possible grade. "
        "The grade presumes cirrhosis with acute decompensation: of others it tells only how many organs fail.",
        pl.DataFrame(rows),
    )


def _checks(checks: pl.DataFrame) -> Section:
    differing = checks.filter(~pl.col("agrees")).height
    return Section(
        "check-values",
        "Check values of the formulas",
        f"{tables.count(checks.height)} published or hand-made results and what this pipeline computes from the same "
        f"inputs; {tables.count(differing)} differ.",
        checks.select(
            pl.col("formula").alias("Formula"),
            pl.col("inputs").alias("Inputs"),
            pl.col("expected").map_elements(_plain, return_dtype=pl.String).alias("Expected"),
            pl.col("got").map_elements(_plain, return_dtype=pl.String).alias("Computed"),
            pl.when("agrees").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("Agrees"),
            pl.col("source").alias("Source"),
        ),
    )


def _plain(value: float) -> str:
    return f"{value:.9g}"
