"""The comparison with the truth as its user reads it: one table of counts, one of what differs and why.

What does not belong here: comparing (`agreement`).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from aclf_pipeline.bench.agreement import Agreement, run_agreement
from aclf_pipeline.bench.detection_report import numbers_of, plain_table, profiles_of, words_of
from aclf_pipeline.console import console


def run_and_collect(persons: int, seeds: str, profiles: str) -> Agreement:
    """Run the comparison over comma-separated lists; a wrong word is a UserError."""
    asked, numbers = list(profiles_of(words_of(profiles))), numbers_of("seeds", seeds, int)
    with console.status("truth") as status:
        return run_agreement(persons, numbers, asked, lambda what: status.update(f"truth: {what}"))


def print_agreement(agreement: Agreement) -> bool:
    """Print counts per profile and variable and every difference; gives whether the ledger explains each."""
    counted = (
        pl.concat(agreement.compared)
        .group_by("profile", "what", maintain_order=True)
        .agg(pl.col("seed").n_unique().alias("hospitals"), pl.col("persons", "differ", "explained").sum())
        .with_columns(agree=1 - pl.col("differ") / pl.col("persons"))
    )
    shown = counted.filter((pl.col("differ") > 0) | (pl.col("what").is_in(["eligible", "exclusion_reason", "event"])))
    console.print(plain_table("Persons whose value is another than the true one", shown))
    for profile, differ, explained in (
        counted.group_by("profile", maintain_order=True).agg(pl.col("differ", "explained").sum()).rows()
    ):
        console.print(
            f"{profile}: {differ:,} values differ, {explained:,} of them on lines of the ledger", highlight=False
        )
    differing = pl.concat(agreement.differing)
    if differing.height:
        console.print(plain_table("What differs, and the rules that speak of it", differing))
    return differing.filter(pl.col("lines") == "").is_empty()


def plain(agreement: Agreement) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        "compared": pl.concat(agreement.compared).to_dicts(),
        "differing": pl.concat(agreement.differing).to_dicts(),
    }
