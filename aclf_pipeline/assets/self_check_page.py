"""The self-check's tables, and the appendix of the study page made of them.

What does not belong here: making them (selfcheck).
"""

import polars as pl

from aclf_pipeline.reports.page import Section
from aclf_pipeline.warehouse.connection import Warehouse

SELF_CHECK = ["analysis", "self_check"]
SIMULATIONS, SEED = 40, 1
"""So many keep a refresh short; the band that coverage must lie in is as wide as so many ask for."""
TABLES = {"agreement": "analysis.self_check__agreement", "coverage": "analysis.self_check__coverage"}


def self_check_sections(wh: Warehouse) -> tuple[Section, ...]:
    """The appendix of the study page: software validation; nothing where the self-check never ran."""
    if not set(TABLES.values()) <= wh.tables():
        return ()
    agreement, coverage = (wh.frame(f"select * from {name}") for name in TABLES.values())
    return (
        Section(
            "software-agreement",
            "Software validation: agreement with R",
            "Estimators of this page on public data, beside R's answers; made in this run. A breach stops the report.",
            _shown(agreement),
        ),
        Section(
            "software-coverage",
            "Software validation: coverage of a known truth",
            f"{SIMULATIONS} simulated cohorts; intervals of 95 %, and the band in which their coverage must lie.",
            _shown(coverage),
        ),
    )


def _shown(frame: pl.DataFrame) -> pl.DataFrame:
    """Yes and no as words, so that a page reads."""
    return frame.with_columns(pl.when("within").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("within"))
