"""The one door through which a cohort gets its scores, with units and provenance.

A score declares which cohort variable it takes and in which unit its formula wants it; a conversion that nobody has
stated stops the run. Each value comes with a line that says what it was made of, or what was missing.
Which scores there are (`score_registry`), conversion factors and cut-offs (both from the protocol) do not belong here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aclf_pipeline.science.organ_failure import OrganFailureCutoffs
from aclf_pipeline.science.score_registry import SCORES, Score

Floats = NDArray[np.float64]
KEY = "candidate_id"


class ScoreError(ValueError):
    """Scores that cannot be computed on this cohort; the message names every problem."""


_CATEGORIES = {"sex": {"female": 1.0, "male": 0.0}}
WITHOUT_UNIT = frozenset({"dialysis", "vasopressor", "sex", "he_grade", "ascites"})
"""Variables that are grades or yes/no and have no unit."""
_CAPITALS = ("inr", "map", "wbc", "ast", "alt")
_UNIT_WORDS = {"a": "years"}
_PROVENANCE: dict[str, pl.DataType | type[pl.DataType]] = {
    KEY: pl.String,
    "variable": pl.String,
    "value": pl.Float64,
    "inputs": pl.List(pl.String),
    "missing_inputs": pl.List(pl.String),
    "explanation": pl.String,
}


def add_scores(
    frame: pl.DataFrame,
    names: Sequence[str],
    factors: Mapping[tuple[str, str], float],
    units: Mapping[str, str],
    *,
    cutoffs: OrganFailureCutoffs | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Add the named scores to a cohort of one row per candidate (column `candidate_id`).

    `units` gives the unit of each variable's column; `factors[(variable, wanted unit)]` multiplies it into the unit a
    formula wants, and is not needed where both are the same. `cutoffs` are needed by the organ-failure scores only.
    Dialysis and vasopressor are yes/no (or 1/0): null is unknown, and unknown dialysis leaves MELD missing.
    First result: the frame with a Float64 column per score (null where missing). Second result, one row per candidate
    and score: candidate_id, variable, value, inputs, missing_inputs, explanation.
    A variable without a column counts as missing for scores given as bounds; for the others it is an error.
    Raises ScoreError naming every unknown score, absent column, unknown unit and missing factor.
    """
    problems = [_unknown(name) for name in names if name not in SCORES]
    chosen = [SCORES[name] for name in names if name in SCORES]
    if KEY not in frame.columns:
        problems.append(f"the cohort has no column '{KEY}'")
    for score in chosen:
        problems += _input_problems(score, frame, factors, units)
        if score.needs_cutoffs and cutoffs is None:
            problems.append(f"score '{score.name}' asks for organ-failure cut-offs, which were not given")
    if problems:
        raise ScoreError("scores: " + "\n".join(problems))
    columns, lines = [], []
    for score in chosen:
        inputs = score_inputs(score, frame, factors, units)
        given = (cutoffs,) if score.needs_cutoffs else ()
        values = np.broadcast_to(score.function(*given, **inputs), (frame.height,)).astype(np.float64)
        refused = score.refusal(*given, **inputs) if score.refusal else [""] * frame.height
        columns.append(pl.Series(score.name, values).fill_nan(None))
        lines.append(_provenance(score, frame[KEY], values, inputs, refused))
    return frame.with_columns(columns), pl.concat([pl.DataFrame(schema=_PROVENANCE), *lines])


def score_inputs(
    score: Score, frame: pl.DataFrame, factors: Mapping[tuple[str, str], float], units: Mapping[str, str]
) -> dict[str, Floats]:
    """A score's arguments as arrays in the units its formula wants, NaN where missing; units as `add_scores`."""
    return {argument: _input(frame, *wanted, factors, units) for argument, wanted in score.inputs.items()}


def _unknown(name: str) -> str:
    """Say that a score is unknown."""
    close = difflib.get_close_matches(name, SCORES, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"'{name}' is not a score.{hint} Known: {', '.join(SCORES)}"


def _input_problems(
    score: Score, frame: pl.DataFrame, factors: Mapping[tuple[str, str], float], units: Mapping[str, str]
) -> list[str]:
    """Hold one score's inputs against the columns and units there are."""
    problems = []
    for variable, wanted in score.inputs.values():
        where = f"score '{score.name}'"
        if variable not in frame.columns:
            if not score.bounds:
                problems.append(f"{where} asks for variable '{variable}', which the cohort does not have")
        elif variable not in WITHOUT_UNIT and (variable, wanted) not in factors and units.get(variable) != wanted:
            have = units.get(variable)
            problems.append(
                f"{where} wants '{variable}' in {wanted}, which comes in {have or 'an unstated unit'}: "
                f"no factor from {have or 'it'} to {wanted} is stated"
            )
    return problems


def _input(
    frame: pl.DataFrame,
    variable: str,
    wanted: str,
    factors: Mapping[tuple[str, str], float],
    units: Mapping[str, str],
) -> Floats:
    """Return one variable in the unit the formula wants, NaN where missing."""
    if variable not in frame.columns:
        return np.full(frame.height, np.nan)
    column = frame[variable]
    if variable in _CATEGORIES:
        codes = column.cast(pl.String).replace_strict(_CATEGORIES[variable], default=None, return_dtype=pl.Float64)
        return codes.fill_null(np.nan).to_numpy()
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    if variable in WITHOUT_UNIT or (units.get(variable) == wanted and (variable, wanted) not in factors):
        return values
    return values * factors[(variable, wanted)]


def _text(argument: str, variable: str, unit: str, value: float) -> str:
    """Word one input, as in 'bilirubin 22.3 mg/dL'."""
    if variable in _CATEGORIES:
        return next(label for label, code in _CATEGORIES[variable].items() if code == value)
    if variable in ("dialysis", "vasopressor"):
        return f"{argument} {'yes' if value else 'no'}"
    name = argument.upper() if argument in _CAPITALS else argument.removesuffix("_years").replace("_", " ")
    return f"{name} {value:.4g}" + (f" {_UNIT_WORDS.get(unit, unit)}" if unit != "1" else "")


def _provenance(
    score: Score, keys: pl.Series, values: Floats, inputs: Mapping[str, Floats], refused: Sequence[str]
) -> pl.DataFrame:
    """Write one row per candidate: which inputs were there, which were not, and a sentence."""
    details = score.detail(**inputs) if score.detail else [""] * len(values)
    rows = []
    for i, (key, value) in enumerate(zip(keys.cast(pl.String), values.tolist(), strict=True)):
        there = [argument for argument in inputs if not np.isnan(inputs[argument][i])]
        missing = [score.inputs[argument][0] for argument in inputs if argument not in there]
        used = ", ".join(_text(a, *score.inputs[a], float(inputs[a][i])) for a in there) or "no input"
        if np.isnan(value):
            lacking = f"missing: {', '.join(missing)}" if missing else "an input is out of the formula's domain"
            because = refused[i] or lacking
            line = f"{score.says} not computable ({because}); from {used}"
        else:
            line = f"{score.says} {value:.4g} from {used}"
            line += f"; {details[i]}" if details[i] else ""
            line += f"; unmeasured: {', '.join(missing)}" if missing else ""
        known = None if np.isnan(value) else value
        rows.append((key, score.name, known, [score.inputs[a][0] for a in there], missing, line))
    return pl.DataFrame(rows, schema=_PROVENANCE, orient="row")
