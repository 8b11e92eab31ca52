"""Whether damage, missing values and exclusions go with era or, once unblinded, with the outcome.

If they do, setting rows aside is not harmless: the report must say so.

What does not belong here: what a rule changes (`impact`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from scipy.stats import false_discovery_control, fisher_exact

from aclf_pipeline.warehouse.connection import Warehouse

FEWEST = 5
"""Fewest persons on either side for a comparison: fewer would tell of single persons."""
SCHEMA = {
    "what": pl.String,
    "kind": pl.String,
    "with_it": pl.Int64,
    "without_it": pl.Int64,
    "share_with": pl.Float64,
    "share_without": pl.Float64,
    "odds_ratio": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
}
_VIOLATED = """
    -- candidates that rows of a rule belong to: one row per rule and candidate
    select distinct v.rule_id, candidates.candidate_id
    from quality.violations as v
    inner join intermediate.persons as persons on v.patient_id = persons.patient_id
    inner join marts.candidates as candidates on persons.person_id = candidates.person_id
"""


def associations(wh: Warehouse, against: pl.DataFrame, variables: list[str]) -> pl.DataFrame:
    """Fisher's exact test of every kind of damage against a yes/no of the candidates.

    `against`: candidate_id and `yes`. `variables`: baseline columns of the cohort whose missingness is tried. One row
    per rule (kind `violation`), variable (`missing`) and exclusion reason (`exclusion`) that at least `FEWEST` persons
    have and have not: shares of `yes` with and without it, the sample odds ratio, p, and q (Benjamini-Hochberg over all
    rows). Rules and variables are compared within the cohort, exclusions among candidates.
    """
    cohort = wh.frame("select * from marts.cohort")
    eligibility = wh.frame("select candidate_id, exclusion_reason from marts.eligibility")
    rows = [
        *_violations(wh.frame(_VIOLATED), cohort.join(against, on="candidate_id")),
        *_missing(cohort.join(against, on="candidate_id"), variables),
        *_excluded(eligibility.join(against, on="candidate_id")),
    ]
    found = pl.DataFrame(rows, schema={k: t for k, t in SCHEMA.items() if k != "q"}, orient="row")
    adjusted = false_discovery_control(found["p"].to_numpy()) if found.height else []
    return found.with_columns(pl.Series("q", adjusted, dtype=pl.Float64)).sort("p", "what")


Row = tuple[str, str, int, int, float, float, float, float]


def _violations(violated: pl.DataFrame, cohort: pl.DataFrame) -> Iterator[Row]:
    for (rule,), who in sorted(violated.group_by("rule_id"), key=lambda pair: str(pair[0])):
        has = cohort["candidate_id"].is_in(who["candidate_id"].implode())
        yield from _compared(str(rule), "violation", has, cohort["yes"])


def _missing(cohort: pl.DataFrame, variables: list[str]) -> Iterator[Row]:
    for name in variables:
        if name in cohort.columns:
            yield from _compared(name, "missing", cohort[name].is_null(), cohort["yes"])


def _excluded(candidates: pl.DataFrame) -> Iterator[Row]:
    for reason in candidates["exclusion_reason"].drop_nulls().unique().sort():
        yield from _compared(reason, "exclusion", (candidates["exclusion_reason"] == reason).fill_null(value=False),
                             candidates["yes"])  # fmt: skip


def _compared(what: str, kind: str, has: pl.Series, yes: pl.Series) -> Iterator[Row]:
    known = yes.is_not_null()
    has, yes = has.filter(known), yes.filter(known)
    with_it, without_it = int(has.sum()), int((~has).sum())
    if min(with_it, without_it) < FEWEST:
        return
    a, b = int((has & yes).sum()), int((~has & yes).sum())
    test = fisher_exact([[a, with_it - a], [b, without_it - b]])
    yield what, kind, with_it, without_it, a / with_it, b / without_it, float(test.statistic), float(test.pvalue)


def later_era(wh: Warehouse) -> tuple[pl.DataFrame, int]:
    """Whether a candidate's admission lies in the later half of years (candidate_id, yes), and the first such year."""
    years = wh.frame("select candidate_id, year(index_at) as year from marts.candidates")
    cut = int(years["year"].drop_nulls().quantile(0.5, "higher") or 0)
    return years.select("candidate_id", (pl.col("year") >= cut).alias("yes")), cut


def primary_event(wh: Warehouse, days: float | None) -> pl.DataFrame:
    """Whether a member of the cohort dies within the horizon of the primary endpoint (candidate_id, yes).

    Who was not followed that long without an event is unknown, and not compared.
    """
    cohort = wh.frame("select candidate_id, event, event_days from marts.cohort")
    end = days if days is not None else float("inf")
    died = (pl.col("event") == "death") & (pl.col("event_days") <= end)
    known = died | (pl.col("event_days") >= end)
    return cohort.select("candidate_id", pl.when(known).then(died).alias("yes"))
