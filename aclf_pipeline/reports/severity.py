"""Sections of the study page on how ill the population is: definitions, organs, grades, and the formulas' check values.

What does not belong here: counting (science) and any cut-off (the protocol).
"""

from __future__ import annotations

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
POPULATIONS = {"candidates": "all candidates", "cohort": "the cohort"}


def severity_sections(
    overlap: pl.DataFrame, organs: pl.DataFrame, grades: pl.DataFrame, checks: pl.DataFrame
) -> tuple[Section, ...]:
    """The sections, population by population. Columns as `science.severity` and `science.check_values` give them."""
    sections = []
    for population, says in POPULATIONS.items():
        own = [frame.filter(pl.col("population") == population) for frame in (overlap, organs, grades)]
        if all(frame.is_empty() or not frame["n"].sum() for frame in own):
            continue
        sections += [
            _overlap(population, says, own[0]),
            _organs(population, says, own[1]),
            _grades(population, says, own[2]),
        ]
    sections.append(_checks(checks))
    return tuple(sections)


def _name(name: str) -> str:
    return NAMES.get(name, tables.words(name))


def _overlap(population: str, says: str, overlap: pl.DataFrame) -> Section:
    """The matrix: who meets the definition of the row, and of these the definition of the column."""
    rows = []
    for definition in overlap["definition"].unique(maintain_order=True):
        own = overlap.filter(pl.col("definition") == definition)
        first = own.row(0, named=True)
        cells = {
            f"Also {_name(row['other'])}": "–" if row["other"] == definition else _both(row)
            for row in own.iter_rows(named=True)
        }
        met = {
            "Met": tables.n_percent(first["met"], first["n"]),
            "Open": tables.n_percent(first["undecided"], first["n"]),
        }
        rows.append({"Definition": _name(definition), **met, **cells})
    return Section(
        f"definitions-{population}",
        f"Definitions of ACLF: {says}",
        "Of those who surely meet the definition of the row, how many surely meet that of the column, and of how many "
        "that one is open. A definition is open for a patient where a missing value decides.",
        pl.DataFrame(rows),
    )


def _both(row: dict[str, int]) -> str:
    both = f"{tables.count(row['both'])} of {tables.count(row['met'])}"
    return f"{both} (+{tables.count(row['other_undecided'])} open)" if row["other_undecided"] else both


def _organs(population: str, says: str, organs: pl.DataFrame) -> Section:
    rows = [
        {
            "Organ": _name(row["part"]),
            "Not measured": tables.n_percent(row["unmeasured"], row["n"]),
            "Known as bounds only": tables.n_percent(row["bounded"], row["n"]),
            "Surely failing": tables.n_percent(row["failing"], row["n"]),
            "Surely or possibly failing": tables.n_percent(row["may_fail"], row["n"]),
        }
        for row in organs.iter_rows(named=True)
    ]
    return Section(
        f"organs-{population}",
        f"Organs measured and failing: {says}",
        "By CLIF-C OF at baseline. An organ that was not measured is not counted as working: its subscore is anything "
        "from 1 to 3, and score and grade are bounds. Of total and grade, a patient counts where some organ does; the "
        "grade counts as failing from 1 on.",
        pl.DataFrame(rows),
    )


def _grades(population: str, says: str, grades: pl.DataFrame) -> Section:
    total = int(grades["n"].sum())
    rows = [
        {
            "EASL-CLIF grade": str(row["grade_low"])
            if row["grade_low"] == row["grade_high"]
            else f"{row['grade_low']} to {row['grade_high']}",
            "Members": tables.n_percent(row["n"], total),
        }
        for row in grades.iter_rows(named=True)
    ]
    return Section(
        f"grades-{population}",
        f"EASL-CLIF grades: {says}",
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
