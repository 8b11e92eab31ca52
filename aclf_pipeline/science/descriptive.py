"""Table 1: the description of a cohort, overall and by group, as a tidy table.

Differences between groups are standardised mean differences. Tests of baseline differences do not belong here, nor does
any layout of the page.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from aclf_pipeline.science.problems import StatisticalProblem, require_columns

OVERALL = "all"
_SCHEMA = {
    "variable": pl.String,
    "level": pl.String,
    "group": pl.String,
    "statistic": pl.String,
    "n": pl.Int64,
    "missing": pl.Int64,
    "value_text": pl.String,
    **dict.fromkeys(("mean", "sd", "median", "q1", "q3"), pl.Float64),
    "count": pl.Int64,
    "share": pl.Float64,
    "smd": pl.Float64,
}


def table_one(frame: pl.DataFrame, variables: Sequence[str], by: str | None = None) -> pl.DataFrame:
    """Describe variables: one row per variable, level and group ('all', then the groups of `by` in order).

    Numbers: mean, sd, median, q1, q3 (linear interpolation, R's type 7); level is null; value_text is
    'median (q1–q3)'. Text, one row per level, and yes/no, one row for 'yes': count and share of the non-missing.
    n is the number non-missing, missing the rest; null and NaN are missing. Rows without a group count in 'all' only.
    smd, where `by` has exactly two groups: second minus first over the root of the mean variance; for text, Mahalanobis
    over levels (never negative). It is null where the variance is 0. Raises StatisticalProblem.
    """
    require_columns(frame, (*variables, by), "table 1")
    floats = [name for name in variables if frame.schema[name].is_float()]
    clean = frame.with_columns(pl.col(floats).fill_nan(None))
    parts = {OVERALL: clean}
    if by:
        groups = clean[by].drop_nulls().unique().sort()
        parts |= {str(name): clean.filter(pl.col(by) == name) for name in groups}
    rows = []
    for name in variables:
        columns = {group: part[name] for group, part in parts.items()}
        pair = [column for group, column in columns.items() if group != OVERALL]
        rows += _describe(name, columns, pair if len(pair) == 2 else None)
    return pl.DataFrame(rows, schema=_SCHEMA)


def _describe(name: str, columns: dict[str, pl.Series], pair: list[pl.Series] | None) -> list[dict[str, object]]:
    """Describe one variable in every group."""
    overall = columns[OVERALL]
    dtype = overall.dtype
    if dtype.is_numeric():
        smd = _smd_number(*pair) if pair else None
        return [_number(name, group, column, smd) for group, column in columns.items()]
    if dtype == pl.Boolean:
        columns = {
            group: column.replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
            for group, column in columns.items()
        }
        levels = ["yes"]
        smd = _smd_number(*(column.cast(pl.Float64) for column in pair), population=True) if pair else None
    elif dtype in (pl.String, pl.Categorical, pl.Enum):
        present = set(overall.drop_nulls().cast(pl.String).unique())
        levels = [c for c in dtype.categories if c in present] if isinstance(dtype, pl.Enum) else sorted(present)
        smd = _smd_levels(pair, levels) if pair else None
    else:
        raise StatisticalProblem(f"table 1: '{name}' is {dtype}; it describes numbers, yes/no and text")
    return [_level(name, level, group, column, smd) for level in levels for group, column in columns.items()]


def _number(name: str, group: str, column: pl.Series, smd: float | None) -> dict[str, object]:
    """Describe a number in one group."""
    values = column.drop_nulls().cast(pl.Float64)
    row: dict[str, object] = {
        "variable": name,
        "group": group,
        "statistic": "median (q1–q3)",
        "n": len(values),
        "missing": column.null_count(),
        "smd": None if group == OVERALL else smd,
    }
    if values.is_empty():
        return {**row, "value_text": "no value"}
    q1, median, q3 = (float(np.quantile(values.to_numpy(), share)) for share in (0.25, 0.5, 0.75))
    return {
        **row,
        "value_text": f"{median:.4g} ({q1:.4g}–{q3:.4g})",
        "mean": float(values.to_numpy().mean()),
        "sd": values.std(),
        "median": median,
        "q1": q1,
        "q3": q3,
    }


def _level(name: str, level: str, group: str, column: pl.Series, smd: float | None) -> dict[str, object]:
    """Count one level in one group."""
    known = column.drop_nulls()
    count = int((known.cast(pl.String) == level).sum())
    share = count / len(known) if len(known) else None
    return {
        "variable": name,
        "level": level,
        "group": group,
        "statistic": "count (share)",
        "n": len(known),
        "missing": column.null_count(),
        "value_text": "no value" if share is None else f"{count} ({100 * share:.1f} %)",
        "count": count,
        "share": share,
        "smd": None if group == OVERALL else smd,
    }


def _smd_number(first: pl.Series, second: pl.Series, *, population: bool = False) -> float | None:
    """Return (second − first) over the root of the mean of both variances; p(1 − p) for yes/no."""
    one, two = first.drop_nulls().to_numpy(), second.drop_nulls().to_numpy()
    ddof = 0 if population else 1
    if min(len(one), len(two)) <= ddof:
        return None
    spread = np.sqrt((one.var(ddof=ddof) + two.var(ddof=ddof)) / 2)
    return float((two.mean() - one.mean()) / spread) if spread > 0 else None


def _smd_levels(pair: list[pl.Series], levels: list[str]) -> float | None:
    """Return the Mahalanobis distance between two groups' shares of all levels but the first."""
    if len(levels) < 2 or any(column.drop_nulls().is_empty() for column in pair):
        return None
    shares = []
    for column in pair:
        known = column.drop_nulls().cast(pl.String)
        shares.append(np.array([(known == level).mean() for level in levels[1:]], dtype=np.float64))
    covariance = sum(np.diag(share) - np.outer(share, share) for share in shares) / 2
    difference = shares[1] - shares[0]
    if np.linalg.matrix_rank(covariance) < len(difference):
        return None
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference)))
