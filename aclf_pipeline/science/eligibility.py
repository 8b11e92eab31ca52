"""Eligibility: candidates held against criteria in order, with the reason for every exclusion.

A criterion is a sentence and a flat SQL boolean over the candidates' columns; what cannot be decided (null) is not met.
The criteria themselves do not belong here: a study states them in the protocol.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import polars.exceptions as plx

# Bit masks are signed 64-bit integers.
MOST_CRITERIA = 63


@dataclass(frozen=True)
class Criterion:
    """One criterion: `keep` is true for the candidates that stay."""

    id: str
    says: str
    keep: str


class CriteriaError(ValueError):
    """Criteria that cannot be applied to these candidates; the message names every problem."""


def apply_criteria(
    candidates: pl.DataFrame, criteria: Sequence[Criterion], key: str = "candidate_id"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold every candidate against every criterion.

    First frame, one row per candidate in the given order: key, eligible, exclusion_reason (first criterion failed, or
    null), exclusion_reasons (all failed), criteria_mask (bit i set where criterion i failed).
    Second frame, one row per criterion: step, criterion, says, entering, leaving, left (applied in order),
    failing_alone (fail this one and no other), failing_any (fail this one).
    Null and NaN count as not met. Raises CriteriaError listing all misprints at once.
    """
    expressions = _read(candidates, criteria, key)
    floats = [pl.col(name).fill_nan(None) for name, dtype in candidates.schema.items() if dtype.is_float()]
    failed = candidates.with_columns(floats).select(
        pl.col(key),
        *(
            (~expression.fill_null(value=False)).alias(f"failed_{i}")  # a literal is stretched by the key column
            for i, expression in enumerate(expressions)
        ),
    )
    flags = [pl.col(f"failed_{i}") for i in range(len(criteria))]
    reasons = [pl.when(flag).then(pl.lit(criterion.id)) for flag, criterion in zip(flags, criteria, strict=True)]
    mask = pl.sum_horizontal([pl.lit(0, pl.Int64), *(flag.cast(pl.Int64) * (1 << i) for i, flag in enumerate(flags))])
    verdict = failed.select(
        pl.col(key),
        eligible=~pl.any_horizontal(flags) if flags else pl.lit(value=True),
        exclusion_reason=pl.coalesce(reasons) if flags else pl.lit(None, pl.String),
        exclusion_reasons=pl.concat_list(reasons).list.drop_nulls() if flags else pl.lit([], pl.List(pl.String)),
        criteria_mask=mask,
    )
    return verdict, _attrition(failed, criteria)


def combinations(eligibility: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """Count who fails exactly which criteria, whatever their order: one row per combination that occurs.

    eligibility: the first frame of `apply_criteria` for these criteria. Columns: criteria_mask, criteria (ids, in the
    order of the study; none for the eligible), failing (how many), candidates, share (of all). The commonest first.
    """
    ids = [criterion.id for criterion in criteria]
    counted = eligibility.group_by("criteria_mask").agg(pl.len().cast(pl.Int64).alias("candidates"))
    named = [[name for place, name in enumerate(ids) if mask >> place & 1] for mask in counted["criteria_mask"]]
    return counted.select(
        pl.col("criteria_mask").cast(pl.Int64),
        pl.Series("criteria", named, dtype=pl.List(pl.String)),
        pl.Series("failing", [len(names) for names in named], dtype=pl.Int64),
        "candidates",
        share=pl.col("candidates") / max(eligibility.height, 1),
    ).sort("candidates", "criteria_mask", descending=[True, False])


def _attrition(failed: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """Count each criterion in order, alone and at all."""
    flags = [failed[f"failed_{i}"] for i in range(len(criteria))]
    failures = failed.select(pl.sum_horizontal([pl.lit(0), *(flag.cast(pl.Int64) for flag in flags)])).to_series()
    still_in = pl.repeat(value=True, n=failed.height, eager=True, dtype=pl.Boolean)
    rows = []
    for step, (criterion, flag) in enumerate(zip(criteria, flags, strict=True), start=1):
        entering = int(still_in.sum())
        still_in = still_in & ~flag
        rows.append(
            {
                "step": step,
                "criterion": criterion.id,
                "says": criterion.says,
                "entering": entering,
                "leaving": entering - int(still_in.sum()),
                "left": int(still_in.sum()),
                "failing_alone": int((flag & (failures == 1)).sum()),
                "failing_any": int(flag.sum()),
            }
        )
    counts = dict.fromkeys(("entering", "leaving", "left", "failing_alone", "failing_any"), pl.Int64)
    return pl.DataFrame(rows, schema={"step": pl.Int64, "criterion": pl.String, "says": pl.String, **counts})


def _read(candidates: pl.DataFrame, criteria: Sequence[Criterion], key: str) -> list[pl.Expr]:
    """Turn the criteria into expressions, or raise with every problem found."""
    problems = _key_problems(candidates, key)
    ids = [criterion.id for criterion in criteria]
    problems += [f"criterion '{name}' is stated {ids.count(name)} times" for name in set(ids) if ids.count(name) > 1]
    if len(criteria) > MOST_CRITERIA:
        problems.append(f"{len(criteria)} criteria are stated; at most {MOST_CRITERIA} fit the bit mask")
    expressions = []
    for criterion in criteria:
        expression, found = _read_one(candidates, criterion)
        problems += found
        expressions.append(expression)
    if problems:
        raise CriteriaError("eligibility: " + "\n".join(sorted(problems)))
    return expressions


def _key_problems(candidates: pl.DataFrame, key: str) -> list[str]:
    """Say why a column cannot be the key, if it cannot."""
    if key not in candidates.columns:
        return [_unknown_column("the key", key, candidates.columns)]
    problems = []
    if candidates[key].null_count():
        problems.append(f"the key '{key}' is missing in {candidates[key].null_count()} rows")
    if candidates[key].n_unique() != candidates.height:
        problems.append(f"the key '{key}' is not unique: {candidates.height} rows, {candidates[key].n_unique()} values")
    return problems


def _read_one(candidates: pl.DataFrame, criterion: Criterion) -> tuple[pl.Expr, list[str]]:
    """Parse one condition and try it on no rows, so that a misprint or a wrong type shows before anything runs."""
    nothing = pl.lit(None, pl.Boolean)
    where = f"criterion '{criterion.id}'"
    try:
        expression = pl.sql_expr(criterion.keep)
    except (plx.SQLSyntaxError, plx.SQLInterfaceError, plx.InvalidOperationError, plx.ComputeError) as error:
        return nothing, [f"{where} says {criterion.keep!r}, which is not a condition: {error}"]
    unknown = [name for name in expression.meta.root_names() if name not in candidates.columns]
    if unknown:
        return nothing, [_unknown_column(where, name, candidates.columns) for name in unknown]
    try:
        result = candidates.clear().select(expression.alias("keep")).schema["keep"]
    except plx.PolarsError as error:
        return nothing, [f"{where} says {criterion.keep!r}, which does not fit the columns' types: {error}"]
    if result not in (pl.Boolean, pl.Null):
        return nothing, [f"{where} says {criterion.keep!r}, which gives {result} and not yes or no"]
    return expression, []


def _unknown_column(where: str, name: str, columns: Sequence[str]) -> str:
    """Say that a column is unknown, with the nearest known one."""
    close = difflib.get_close_matches(name, columns, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"{where} asks for column '{name}', which the candidates do not have.{hint} They have: {', '.join(columns)}"
