"""The registry of scores and the one door through which a cohort gets them, with units and provenance.

A score declares which cohort variable it takes and in which unit its formula wants it; a conversion that nobody has
stated stops the run. Each value comes with a line that says what it was made of, or what was missing.
Formulas (`scores`, `organ_failure`), conversion factors and cut-offs (both from the protocol) do not belong here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aclf_pipeline.science import organ_failure, scores
from aclf_pipeline.science.organ_failure import OrganFailureCutoffs, OrganValues

Floats = NDArray[np.float64]
KEY = "candidate_id"
# A raw MELD above this is possible in ACLF, but a unit error is likelier (a proposal awaiting a clinician's signature).
IMPLAUSIBLE_MELD = 50.0


@dataclass(frozen=True)
class Score:
    """A score: what it is, what it takes (argument → cohort variable and the unit the formula wants), and whence.

    `function` takes the arguments as float arrays. A score that `needs_cutoffs` takes them as its first argument;
    one with `bounds` accepts missing inputs and answers with a wider interval. `detail` adds words to the explanation.
    """

    name: str
    says: str
    inputs: Mapping[str, tuple[str, str]]
    function: Callable[..., Floats]
    source: str
    unit: str = "{score}"
    needs_cutoffs: bool = False
    bounds: bool = False
    detail: Callable[..., list[str]] | None = field(default=None, repr=False)


class ScoreError(ValueError):
    """Scores that cannot be computed on this cohort; the message names every problem."""


def _meld_detail(**inputs: Floats) -> list[str]:
    """Say what MELD would be without its ceilings, so that a unit error cannot hide under them."""
    raw = scores.meld_raw(**inputs)
    return [
        f"unclamped {value:.2f}" + (" (above 50: check the units of the inputs)" if value > IMPLAUSIBLE_MELD else "")
        for value in raw
    ]


def _of(pick: Callable[[organ_failure.Bounds], Floats]) -> Callable[..., Floats]:
    """Return a score function giving one side of the CLIF-C OF bounds."""
    return lambda cutoffs, **inputs: pick(organ_failure.clif_c_of(OrganValues(**inputs), cutoffs))


def _grade(side: int) -> Callable[..., Floats]:
    """Return a score function giving one bound of the EASL-CLIF grade."""
    return lambda cutoffs, **inputs: organ_failure.easl_clif_grade(OrganValues(**inputs), cutoffs)[side]


def _exact(bounds: organ_failure.Bounds) -> Floats:
    """Return the value where both bounds agree, else NaN."""
    return np.where(bounds[0] == bounds[1], bounds[0], np.nan)


_MELD = {
    "bilirubin": ("bilirubin_total", "mg/dL"),
    "creatinine": ("creatinine", "mg/dL"),
    "inr": ("inr", "1"),
    "dialysis": ("dialysis", "1"),
}
_SODIUM = {"sodium": ("sodium", "mmol/L")}
_ORGANS = {
    **_MELD,
    "he_grade": ("he_grade", "1"),
    "map": ("map", "mm[Hg]"),
    "vasopressor": ("vasopressor", "1"),
    "pao2": ("pao2", "mm[Hg]"),
    "spo2": ("spo2", "%"),
    "fio2": ("fio2", "1"),
}
_MELD_SOURCE = "OPTN policy 9.1 (2016) as in MIT-LCP/mimic-code 8bcbd19, concepts/organfailure/meld.sql"
_AMELD = "ampel-leipzig/ameld e12cd00, R/meld.R"
_CLIF = "Gut, CLIF-C OF (highwire 210726), table 7; EF CLIF calculator page clif-c-of-aclf-ad"
_EASL = "World J Gastroenterol v28/i48/6922, table 1"


def _registry() -> dict[str, Score]:
    """List every score."""
    listed = (
        Score("meld", "MELD before the sodium term", _MELD, scores.meld, _MELD_SOURCE, detail=_meld_detail),
        Score("meld_na_kim2008", "MELD-Na of Kim 2008", {**_MELD, **_SODIUM}, scores.meld_na_kim2008, _AMELD),
        Score("meld_na_unos2016", "MELD-Na of UNOS 2016", {**_MELD, **_SODIUM}, scores.meld_na_unos2016, _MELD_SOURCE),
        Score(
            "meld_3_0",
            "MELD 3.0",
            {**_MELD, **_SODIUM, "albumin": ("albumin", "g/dL"), "female": ("sex", "1")},
            scores.meld_3_0,
            "Kim 2021, PMC8608337",
        ),
        Score(
            "nlr",
            "neutrophil-to-lymphocyte ratio",
            {"neutrophils": ("neutrophils", "10*9/L"), "lymphocytes": ("lymphocytes", "10*9/L")},
            scores.nlr,
            "ratio of absolute counts",
            unit="1",
        ),
        Score(
            "albi",
            "ALBI",
            {"bilirubin": ("bilirubin_total", "umol/L"), "albumin": ("albumin", "g/L")},
            scores.albi,
            "aihaoyisheng.com/en/tools/albi",
        ),
        *(
            Score(name, says, _ORGANS, function, _CLIF, needs_cutoffs=True, bounds=True)
            for name, says, function in (
                ("clif_c_of_low", "CLIF-C OF, lower bound", _of(lambda bounds: bounds[0])),
                ("clif_c_of_high", "CLIF-C OF, upper bound", _of(lambda bounds: bounds[1])),
                ("clif_c_of", "CLIF-C OF where every organ is decided", _of(_exact)),
            )
        ),
        *(
            Score(name, says, _ORGANS, _grade(side), _EASL, needs_cutoffs=True, bounds=True)
            for name, says, side in (
                ("easl_clif_grade_low", "EASL-CLIF grade, lower bound", 0),
                ("easl_clif_grade_high", "EASL-CLIF grade, upper bound", 1),
            )
        ),
    )
    return {score.name: score for score in listed}


SCORES: dict[str, Score] = _registry()
_CATEGORIES = {"sex": {"female": 1.0, "male": 0.0}}
_WITHOUT_UNIT = frozenset({"dialysis", "vasopressor", "sex", "he_grade"})
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
        inputs = {argument: _input(frame, *wanted, factors, units) for argument, wanted in score.inputs.items()}
        result = score.function(cutoffs, **inputs) if score.needs_cutoffs else score.function(**inputs)
        values = np.broadcast_to(result, (frame.height,)).astype(np.float64)
        columns.append(pl.Series(score.name, values).fill_nan(None))
        lines.append(_provenance(score, frame[KEY], values, inputs))
    return frame.with_columns(columns), pl.concat([pl.DataFrame(schema=_PROVENANCE), *lines])


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
        elif variable not in _WITHOUT_UNIT and (variable, wanted) not in factors and units.get(variable) != wanted:
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
    if variable in _WITHOUT_UNIT or (units.get(variable) == wanted and (variable, wanted) not in factors):
        return values
    return values * factors[(variable, wanted)]


def _text(argument: str, variable: str, unit: str, value: float) -> str:
    """Word one input, as in 'bilirubin 22.3 mg/dL'."""
    if variable in _CATEGORIES:
        return next(label for label, code in _CATEGORIES[variable].items() if code == value)
    if variable in ("dialysis", "vasopressor"):
        return f"{argument} {'yes' if value else 'no'}"
    name = argument.upper() if argument in ("inr", "map") else argument.replace("_", " ")
    return f"{name} {value:.4g}" + (f" {unit}" if unit != "1" else "")


def _provenance(score: Score, keys: pl.Series, values: Floats, inputs: Mapping[str, Floats]) -> pl.DataFrame:
    """Write one row per candidate: which inputs were there, which were not, and a sentence."""
    details = score.detail(**inputs) if score.detail else [""] * len(values)
    rows = []
    for i, (key, value) in enumerate(zip(keys.cast(pl.String), values.tolist(), strict=True)):
        there = [argument for argument in inputs if not np.isnan(inputs[argument][i])]
        missing = [score.inputs[argument][0] for argument in inputs if argument not in there]
        used = ", ".join(_text(a, *score.inputs[a], float(inputs[a][i])) for a in there) or "no input"
        if np.isnan(value):
            because = f"missing: {', '.join(missing)}" if missing else "an input is out of the formula's domain"
            line = f"{score.says} not computable ({because}); from {used}"
        else:
            line = f"{score.says} {value:.4g} from {used}"
            line += f"; {details[i]}" if details[i] else ""
            line += f"; unmeasured: {', '.join(missing)}" if missing else ""
        known = None if np.isnan(value) else value
        rows.append((key, score.name, known, [score.inputs[a][0] for a in there], missing, line))
    return pl.DataFrame(rows, schema=_PROVENANCE, orient="row")
