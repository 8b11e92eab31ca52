"""Columns of a frame as numbers a regression can take, and back again.

What is imputed by which model (imputation, imputation_models) does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from aclf_pipeline.science.risk_sets import Bools, Floats


@dataclass(frozen=True)
class Coded:
    """A column as numbers (n), NaN in its gaps (n); own: its known values; binary: two of them differ at most."""

    values: Floats
    gaps: Bools
    own: pl.Series
    binary: bool

    def start(self, rng: np.random.Generator) -> Floats:
        """Return the values with random known ones in the gaps."""
        filled = self.values.copy()
        filled[self.gaps] = rng.choice(self.values[~self.gaps], int(self.gaps.sum())) if self.gaps.any() else 0.0
        return filled

    def decoded(self, values: Floats) -> pl.Series:
        """Return numbers as the column's own values; each is one that occurs, so that none is a rounding off."""
        order = np.argsort(self.values[~self.gaps], kind="stable")
        known = self.values[~self.gaps][order]
        place = np.clip(np.searchsorted(known, values), 0, len(known) - 1)
        return self.own.gather(pl.Series(order[place], dtype=pl.UInt32))


def code_column(column: pl.Series, *, logged: bool) -> tuple[Coded | None, list[str]]:
    """Number a column: numbers and yes/no as they are, an Enum by its order, text of two values 0 and 1.

    Returns nothing, and why, for text of more values, other types, and logarithms of what is not above 0.
    """
    gaps = column.is_null().to_numpy()
    text = column.dtype in (pl.String, pl.Categorical, pl.Enum)
    if not (text or column.dtype.is_numeric() or column.dtype == pl.Boolean):
        return None, [f"'{column.name}' is {column.dtype}; numbers, yes/no and text can be completed"]
    if text:
        used = sorted(column.drop_nulls().cast(pl.String).unique())
        if isinstance(column.dtype, pl.Enum):
            used = [level for level in column.dtype.categories if level in set(used)]
        elif len(used) > 2:
            return None, [f"'{column.name}' has {len(used)} values without an order; make it an Enum that has one"]
        numbers = column.cast(pl.String).replace_strict(used, list(range(len(used))), return_dtype=pl.Float64)
    else:
        numbers = column.cast(pl.Float64)
    values = numbers.fill_null(float("nan")).to_numpy().copy()
    if logged and (text or (values[~gaps] <= 0).any()):
        return None, [f"'{column.name}' has values that are not above 0 and have no logarithm"]
    own = column.drop_nulls()
    values = np.log(values) if logged else values
    return Coded(values, gaps, own, own.n_unique() <= 2), []


def dummies(column: pl.Series) -> tuple[Floats, list[str]]:
    """Return a predictor as columns (n × k): numbers and yes/no as they are, text a column per level but the first.

    Returns no column, and why, for gaps and for other types.
    """
    n = len(column)
    if column.null_count() or (column.dtype.is_float() and column.is_nan().any()):
        count = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
        return np.zeros((n, 0)), [f"predictor '{column.name}' is missing in {count} rows; complete it, or leave it out"]
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64).to_numpy().reshape(n, 1), []
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return np.zeros((n, 0)), [f"predictor '{column.name}' is {column.dtype}; it must be a number, yes/no or text"]
    text = column.cast(pl.String)
    levels = sorted(text.unique())[1:]
    parts = [(text == level).cast(pl.Float64).to_numpy() for level in levels]
    return np.column_stack(parts) if parts else np.zeros((n, 0)), []


def standard_deviation(values: Floats) -> float:
    """Return the sample standard deviation, 0 of a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
