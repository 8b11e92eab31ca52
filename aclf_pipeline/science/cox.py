"""Cox regression with the guards a reviewer would ask for.

Frames in: coding of categories, missing values set aside and counted, refusal of constant, collinear and separating
covariates, events per degree of freedom. The engine is our own (cox_kernel, cox_fit); lifelines is a cross-check of the
tests. Predictions, the test of proportional hazards and residuals do not belong here: they are made of `CoxResult.fit`
by cox_curves, proportional_hazards and cox_residuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from aclf_pipeline.science.concordance import of_fit
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem, event_flag, require_columns

Floats = NDArray[np.float64]

FEW_EVENTS_PER_DF = 10.0


@dataclass(frozen=True)
class CoxResult:
    """A fitted Cox model.

    coefficients: term, variable, level, log_hr, se, hr, lower, upper (95 %), z, p, n, events — one row per term.
    references: the reference level of each categorical covariate. lr_statistic on df degrees of freedom tests the
    whole model. concordance is Harrell's, with its standard error, over strata, delayed entry, weights and clusters;
    null, with a warning, where no two rows can be compared. fit is the model itself, for curves, residuals and tests.
    """

    coefficients: pl.DataFrame
    n: int
    events: int
    df: int
    events_per_df: float
    loglik: float
    loglik_null: float
    lr_statistic: float
    lr_p: float
    concordance: float | None
    concordance_se: float | None
    fit: CoxFit = field(repr=False, compare=False)
    n_missing_dropped: int
    references: dict[str, str] = field(default_factory=dict)
    strata: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Term:
    """One column of the design: its name, the covariate it came from, and the level it marks (None if numeric)."""

    name: str
    variable: str
    level: str | None
    values: Floats


def cox(
    frame: pl.DataFrame,
    duration: str,
    event: str,
    covariates: Sequence[str],
    *,
    strata: str | Sequence[str] | None = None,
    entry: str | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    ties: str = "efron",
) -> CoxResult:
    """Fit a Cox model by partial likelihood with Efron's (or Breslow's) treatment of ties.

    `event` is yes/no or 0/1; `entry` the time of delayed entry, or the start of an episode where people have several
    rows; `strata` one or more columns whose combinations get a baseline hazard each; `weights` case weights above 0;
    `cluster` a column whose groups (a person's episodes, a centre) are independent, which makes the variance robust.
    Numeric covariates enter as they are, yes/no as 0/1, text one column per level but the reference: the first level of
    an Enum, else the most frequent (then alphabetical). Rows missing any of the columns are set aside and counted.
    Fewer than 10 events per degree of freedom is a warning. Raises StatisticalProblem, naming the covariates, for no
    events, constant or collinear covariates, a level without events and any other separation, and for no convergence.
    """
    what = "Cox model"
    layers = (strata,) if isinstance(strata, str) else tuple(strata or ())
    require_columns(frame, (duration, event, *covariates, *layers, entry, weights, cluster), what)
    others = (*layers, entry, weights, cluster)
    _check_request(what, covariates, (duration, event, *others))
    rows = _complete(frame, (duration, *covariates, *others), event, what)
    _check_rows(rows, what, duration, event, entry)
    references: dict[str, str] = {}
    terms = [term for name in covariates for term in _terms(rows[name], references, what)]
    happened = rows[event].to_numpy()
    _check_design(terms, happened, references, what)
    fit = fit_cox(
        rows[duration].cast(pl.Float64).to_numpy(),
        happened,
        np.column_stack([term.values for term in terms]),
        [term.name for term in terms],
        start=_floats(rows, entry),
        strata=_codes(rows, layers),
        weight=_floats(rows, weights),
        cluster=_codes(rows, (cluster,) if cluster else ()),
        ties=ties,
    )
    return _result(fit, terms, references, layers, frame.height - rows.height)


def _complete(frame: pl.DataFrame, columns: Sequence[str | None], event: str, what: str) -> pl.DataFrame:
    """Return the rows that have all of the columns and the event, which becomes yes/no."""
    used = [column for column in dict.fromkeys(columns) if column is not None]
    floats = [column for column in used if frame.schema[column].is_float()]
    rows = frame.select(*used, event_flag(frame, event, what).alias(event))
    return rows.with_columns(pl.col(floats).fill_nan(None)).drop_nulls()


def _check_request(what: str, covariates: Sequence[str], others: Sequence[str | None]) -> None:
    """Refuse an empty or repeated list of covariates, and covariates that are the outcome."""
    if not covariates:
        raise StatisticalProblem(f"{what}: no covariate is named")
    twice = sorted({name for name in covariates if list(covariates).count(name) > 1})
    outcome = [name for name in covariates if name in others]
    if twice or outcome:
        raise StatisticalProblem(
            f"{what}: "
            + "; ".join(
                [f"'{n}' is named twice" for n in twice]
                + [f"'{n}' is the outcome, entry, strata, weight or cluster" for n in outcome]
            )
        )


def _check_rows(rows: pl.DataFrame, what: str, duration: str, event: str, entry: str | None) -> None:
    """Refuse data without complete rows or events, and times that cannot be."""
    if rows.is_empty():
        raise StatisticalProblem(f"{what}: no row has all of {', '.join(rows.columns)}")
    if not rows[event].any():
        raise StatisticalProblem(f"{what}: no event among {rows.height} complete rows")
    if (rows[duration] < 0).any():
        raise StatisticalProblem(f"{what}: {(rows[duration] < 0).sum()} rows have a negative '{duration}'")
    if entry and (rows[entry] >= rows[duration]).any():
        count = (rows[entry] >= rows[duration]).sum()
        raise StatisticalProblem(f"{what}: in {count} rows '{entry}' is not before '{duration}'; nobody is at risk")


def _terms(column: pl.Series, references: dict[str, str], what: str) -> list[_Term]:
    """Turn one covariate into columns of the design, noting the reference level of a category."""
    name = column.name
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return [_Term(name, name, None, column.cast(pl.Float64).to_numpy())]
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise StatisticalProblem(f"{what}: '{name}' is {column.dtype}; a covariate is a number, yes/no or text")
    text = column.cast(pl.String)
    levels = sorted(text.unique(), key=lambda level: (-int((text == level).sum()), level))
    if isinstance(column.dtype, pl.Enum):
        levels = [level for level in column.dtype.categories if level in set(levels)]
    references[name] = levels[0]
    return [_Term(f"{name}[{level}]", name, level, (text == level).cast(pl.Float64).to_numpy()) for level in levels[1:]]


def _check_design(terms: list[_Term], happened: NDArray[np.bool_], references: dict[str, str], what: str) -> None:
    """Refuse constant columns and values without events, naming all at once."""
    coded = {term.variable for term in terms}
    problems = [f"'{name}' has one level, '{level}'" for name, level in references.items() if name not in coded]
    for term in terms:
        values = term.values.min(), term.values.max()
        if values[0] == values[1]:
            problems.append(f"'{term.name}' is {values[0]:g} in every complete row")
        elif np.isin(term.values, values).all():
            problems += [
                f"'{term.name}' = {value:g} ({int((term.values == value).sum())} rows) has no event: separation"
                for value in values
                if not happened[term.values == value].any()
            ]
    if problems:
        raise StatisticalProblem(f"{what}: " + "; ".join(problems))


def _floats(rows: pl.DataFrame, column: str | None) -> Floats | None:
    """Return an optional column of numbers."""
    return None if column is None else rows[column].cast(pl.Float64).to_numpy()


def _codes(rows: pl.DataFrame, columns: tuple[str, ...]) -> NDArray[np.int64] | None:
    """Number the combinations of some columns, 0 for the lowest; nothing for no columns."""
    if not columns:
        return None
    return rows.select(pl.struct(columns).rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()


def _concordance(fit: CoxFit, messages: list[str]) -> tuple[float | None, float | None]:
    """Return Harrell's C and its standard error; where no pair can be compared, say so and return nothing."""
    try:
        found = of_fit(fit)
    except StatisticalProblem as problem:
        messages.append(str(problem))
        return None, None
    return found.c, found.se


def _result(
    fit: CoxFit, terms: list[_Term], references: dict[str, str], layers: tuple[str, ...], missing: int
) -> CoxResult:
    """Lay the fit out, with what a reader must be told."""
    events, df, messages = fit.events, len(terms), list[str]()
    if events / df < FEW_EVENTS_PER_DF:
        messages.append(f"{events} events for {df} degrees of freedom: {events / df:.1f} events per df (10 are usual)")
    concordance, concordance_se = _concordance(fit, messages)
    return CoxResult(
        coefficients=_coefficients(terms, fit.coef, fit.se, fit.n, events),
        n=fit.n,
        events=events,
        df=df,
        events_per_df=events / df,
        loglik=fit.loglik,
        loglik_null=fit.loglik_null,
        lr_statistic=fit.lr.statistic,
        lr_p=fit.lr.p,
        concordance=concordance,
        concordance_se=concordance_se,
        fit=fit,
        n_missing_dropped=missing,
        references=references,
        strata=layers,
        warnings=tuple(messages),
    )


def _coefficients(terms: list[_Term], beta: Floats, se: Floats, n: int, events: int) -> pl.DataFrame:
    """Lay the fit out, one row per term."""
    z = beta / se
    half_width = norm.ppf(0.975) * se
    return pl.DataFrame(
        {
            "term": [term.name for term in terms],
            "variable": [term.variable for term in terms],
            "level": pl.Series([term.level for term in terms], dtype=pl.String),
            "log_hr": beta,
            "se": se,
            "hr": np.exp(beta),
            "lower": np.exp(beta - half_width),
            "upper": np.exp(beta + half_width),
            "z": z,
            "p": 2 * norm.sf(np.abs(z)),
            "n": [n] * len(terms),
            "events": [events] * len(terms),
        }
    )
