"""The model as a prediction: its equation, and how good its risks are beside those of scores on the same rows.

Where a competing event can come first a risk is that of a Fine–Gray model with the same covariates: one less the
survival of a cause-specific model is not a risk. A score is made a risk by a model of the score alone on the same rows.

What does not belong here: estimators (fine_gray, survival_performance, calibration, decision_curve), and how much of
the performance is optimism (resampling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from aclf_pipeline.protocol.plan import Cox, Performance, Prediction
from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.analyses.given import AnalysisResult, Given, Row, codes, complete, counted, keyed, lacking
from aclf_pipeline.science.analyses.models import columns_of
from aclf_pipeline.science.calibration import calibrate
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.decision_curve import decision_curve
from aclf_pipeline.science.fine_gray import fit_fine_gray, predicted_incidence
from aclf_pipeline.science.fine_gray_episodes import fit_fine_gray_episodes
from aclf_pipeline.science.nomogram import nomogram
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints
from aclf_pipeline.science.sample_size import expected_shrinkage
from aclf_pipeline.science.survival_performance import brier_score, time_dependent_auc

MODEL = "model"
LEAST_SHRINKAGE = 0.8
"""Below this no nomogram is drawn; guard of the plan."""
NEAR_0, NEAR_1 = 1e-6, 1 - 1e-6


@dataclass(frozen=True)
class Predictor:
    """A model of absolute risk: terms, coefficients on the log scale, their centre, baseline risk, and predicted risk.

    coef, centre (p); baseline (h): risk by each horizon at the centre; risk (n × h) of the rows it was fitted on.
    """

    names: tuple[str, ...]
    coef: Floats
    centre: Floats
    baseline: Floats
    risk: Floats
    method: str


def predictor(time: Floats, code: Ints, design: Floats, names: Sequence[str], horizons: Sequence[int]) -> Predictor:
    """Fit a model of the risk of event 1 by each horizon: Fine–Gray if an event 2 happened, else Cox.

    time, code (n): 0 censored, 1 the event, 2 a competing one; design (n × p). Raises StatisticalProblem.
    """
    at, centre = np.asarray(horizons, dtype=np.float64), design.mean(axis=0)
    both = np.vstack([design, centre])
    if (code == 2).any():
        sub = fit_fine_gray(time, code, design, names)
        risk, coef, method = predicted_incidence(sub, both, at), sub.coef, "Fine–Gray"
    else:
        plain = fit_cox(time, code == 1, design, names)
        risk, coef, method = 1 - cox_curves.survival(plain, both, at).survival, plain.coef, "Cox"
    return Predictor(tuple(names), coef, centre, risk[-1], risk[:-1], method)


def equation(spec: Prediction, given: Given) -> AnalysisResult:
    """Coefficients, the values they are counted from, and the baseline risk at each horizon.

    Table: term, coefficient, centre, n, events. baseline: horizon, survival (probability of no event of the kind at the
    centre), risk. Risk by a horizon = 1 − survival^exp(Σ coefficient·(value − centre)). points, chances: a nomogram of
    the same model (see `nomogram.Nomogram`), where its expected shrinkage allows one.
    """
    model = given.model(spec)
    frame = given.counted(model)
    rows = complete(frame, model.covariates)
    time, code = codes(rows, given.endpoint(model))
    names, design, _ = columns_of(rows, model.covariates)
    reach = float(time.max())
    horizons = [day for day in spec.horizons if day <= reach]
    if not horizons:
        raise StatisticalProblem(f"prediction: no horizon lies within the follow-up of {reach:g} days")
    made = predictor(time, code, design, names, horizons)
    n, events = rows.height, int((code == 1).sum())
    table = pl.DataFrame({"term": names, "coefficient": made.coef, "centre": made.centre,
                          "n": [n] * len(names), "events": [events] * len(names)})  # fmt: skip
    baseline = pl.DataFrame({"horizon": horizons, "survival": 1 - made.baseline, "risk": made.baseline})
    counts: Row = {"n": n, "events": events, "method": made.method}
    results: list[Row] = [{"key": f"coefficient:{row['term']}", "estimate": row["coefficient"], **counts}
                          for row in table.iter_rows(named=True)]  # fmt: skip
    results += [{"key": f"centre:{row['term']}", "estimate": row["centre"], **counts}
                for row in table.iter_rows(named=True)]  # fmt: skip
    results += [{"key": f"{name}_{row['horizon']}d", "estimate": row[column], **counts}
                for row in baseline.iter_rows(named=True)
                for name, column in (("baseline", "survival"), ("baseline_risk", "risk"))]  # fmt: skip
    points, shrinkage = _nomogram(time, code, design, names, horizons)
    results += [{"key": f"points:{row['variable']}={row['value']}", "estimate": row["points"], **counts}
                for row in points["points"].iter_rows(named=True)] if points else []  # fmt: skip
    results += [{"key": f"points_{row['horizon']:g}d:{row['survival']:g}", "estimate": row["points"], **counts}
                for row in points["chances"].iter_rows(named=True)] if points else []  # fmt: skip
    results.append({"key": "expected_shrinkage", "estimate": shrinkage, "n": n, "events": events,
                    "method": "heuristic, 1 − df / likelihood ratio"})  # fmt: skip
    said = (
        f"Risk by a horizon = 1 − S₀^exp(Σ coefficient × (value − centre)), by a {made.method} model; yes 1, no 0.",
        "It has not been tried on other patients; see the internal validation.",
        *(
            [f"No nomogram: the expected shrinkage is {shrinkage:.2f}, below {LEAST_SHRINKAGE:g}."]
            if not points
            else []
        ),
        *lacking(frame.height, rows.height),
    )
    return AnalysisResult(table, keyed(given, spec, results), {"baseline": baseline, **points}, said)


def _nomogram(
    time: Floats, code: Ints, design: Floats, names: Sequence[str], horizons: Sequence[int]
) -> tuple[dict[str, pl.DataFrame], float]:
    """Points and chances of a nomogram, none for a model that is expected to shrink too much; and that shrinkage."""
    if (code == 2).any():
        fit = fit_fine_gray_episodes(time, code, design, names)
    else:
        fit = fit_cox(time, code == 1, design, names)
    shrinkage = expected_shrinkage(len(names), fit.lr.statistic)
    if shrinkage < LEAST_SHRINKAGE:
        return {}, shrinkage
    made = nomogram(fit, [float(day) for day in horizons])
    return {"points": made.points, "total": made.total, "chances": made.survival}, shrinkage


def performance(spec: Performance, given: Given) -> AnalysisResult:
    """Discrimination, accuracy and calibration of the model and of each score, at each horizon, on the same rows.

    Table: horizon, predictor, auc, auc_lower, auc_upper, brier, ipa, oe, slope, ici, e50, e90, n, events, reason.
    decision: horizon, strategy, threshold, net_benefit. groups, calibrated: of the model's calibration.
    All of it is apparent: optimism is told by the internal validation.
    """
    model, endpoint = given.model(spec), given.endpoint(spec)
    frame = given.cohort
    measured = [name for name in spec.comparators if name in frame.columns]
    rows = complete(frame, (*model.covariates, *measured))
    if rows.is_empty():
        raise StatisticalProblem("performance: no row has all covariates and all scores")
    # Fitted up to the model's horizon, judged on all follow-up: who goes on beyond a horizon is known to be without.
    time, code = codes(rows, endpoint)
    fitted = codes(counted(rows, endpoint), endpoint)
    events = int((fitted[1] == 1).sum())
    horizons = [day for day in spec.horizons if _enough(time, code, day, spec.fewest) is None]
    remarks = [reason for day in spec.horizons if (reason := _enough(time, code, day, spec.fewest))]
    if not horizons:
        raise StatisticalProblem("performance: " + "; ".join(remarks))
    predictors = {MODEL: _columns(rows, model), **{name: _score(rows, name) for name in measured}}
    risks = {name: predictor(*fitted, x, names, horizons).risk for name, (names, x) in predictors.items()}
    lines = [
        {"predictor": name, "n": rows.height, "events": events, **line}
        for name, risk in risks.items()
        for line in _measured(time, code, risk, horizons)
    ]
    table = pl.DataFrame(lines, infer_schema_length=None).select(
        "horizon", "predictor", pl.all().exclude("horizon", "predictor")
    ).sort("horizon", maintain_order=True)  # fmt: skip
    decision = pl.concat(
        decision_curve(time, code, {name: risk[:, k] for name, risk in risks.items()}, day, spec.thresholds).select(
            pl.lit(day).alias("horizon"), "strategy", "threshold", "net_benefit"
        )
        for k, day in enumerate(horizons)
    )
    said = [*remarks, "These figures are apparent: the model was fitted on the same rows. Each score was made a risk "
            "by a model of the score alone on these rows, so that none is at a disadvantage."]  # fmt: skip
    absent = [name for name in spec.comparators if name not in measured]
    if absent:
        said.append(f"Not computed in this cohort: {', '.join(absent)}.")
    if rows.height < frame.height:
        said.append(f"{rows.height} of {frame.height} patients have every covariate and every score.")
    more = {"decision": decision, **_calibrated(time, code, risks[MODEL], horizons)}
    return AnalysisResult(table, keyed(given, spec, _performance_rows(table, decision)), more, tuple(said))


def _calibrated(time: Floats, code: Ints, risk: Floats, horizons: Sequence[int]) -> dict[str, pl.DataFrame]:
    """What a figure of calibration shows of the model: groups of rising risk, and the smooth curve, by horizon."""
    groups, curves = [], []
    for k, day in enumerate(horizons):
        own = np.clip(risk[:, k], NEAR_0, NEAR_1)
        try:
            found = calibrate(time, code, own, float(day))
        except StatisticalProblem:
            continue  # the table says why
        panel = pl.lit(f"Day {day}").alias("panel")
        groups.append(found.groups.select(panel, "predicted", "observed", "lower", "upper", "n"))
        curves.append(pl.DataFrame({"predicted": own, "calibrated": found.calibrated}).select(panel, pl.all()))
    return {"groups": pl.concat(groups), "calibrated": pl.concat(curves)} if groups else {}


def _columns(rows: pl.DataFrame, model: Cox) -> tuple[list[str], Floats]:
    """Names and design of a model."""
    names, design, _ = columns_of(rows, model.covariates)
    return names, design


def _score(rows: pl.DataFrame, name: str) -> tuple[list[str], Floats]:
    """Name and design of a model of one score."""
    return [name], rows[name].cast(pl.Float64).to_numpy()[:, None]


def _enough(time: Floats, code: Ints, day: int, fewest: int) -> str | None:
    """Why a horizon cannot be judged: too few with the event by then, or too few without."""
    cases = int(((code == 1) & (time <= day)).sum())
    controls = int((time > day).sum() + ((code == 2) & (time <= day)).sum())
    if min(cases, controls) >= fewest:
        return None
    return f"Day {day} has {cases} with the event and {controls} without; {fewest} of each are asked for."


def _measured(time: Floats, code: Ints, risk: Floats, horizons: Sequence[int]) -> list[Row]:
    """What a risk (n × h) is worth at each horizon."""
    at = [float(day) for day in horizons]
    auc, brier = time_dependent_auc(time, code, risk, at), brier_score(time, code, risk, at)
    lines: list[Row] = []
    for k, day in enumerate(horizons):
        a, b = auc.row(k, named=True), brier.row(k, named=True)
        line: Row = {
            "horizon": day, "auc": a["auc"], "auc_lower": a["lower"], "auc_upper": a["upper"], "cases": a["cases"],
            "controls": a["controls"], "brier": b["brier"], "ipa": b["ipa"], "reason": a["reason"] or b["reason"],
        }  # fmt: skip
        try:
            c = calibrate(time, code, np.clip(risk[:, k], NEAR_0, NEAR_1), float(day))
            line |= {"oe": c.oe.estimate, "oe_lower": c.oe.lower, "oe_upper": c.oe.upper, "slope": c.slope.estimate,
                     "ici": c.ici, "e50": c.e50, "e90": c.e90}  # fmt: skip
        except StatisticalProblem as problem:
            line |= dict.fromkeys(("oe", "oe_lower", "oe_upper", "slope", "ici", "e50", "e90"))
            line["reason"] = line["reason"] or str(problem)
        lines.append(line)
    return lines


def _performance_rows(table: pl.DataFrame, decision: pl.DataFrame) -> list[Row]:
    """Every figure under its key: what, day, whose."""
    rows: list[Row] = []
    for line in table.iter_rows(named=True):
        counts = {"n": line["n"], "events": line["cases"]}
        for name, method in _METHODS.items():
            limits = {"lower": line.get(f"{name}_lower"), "upper": line.get(f"{name}_upper")}
            key = f"{name}_{line['horizon']}d:{line['predictor']}"
            rows.append({"key": key, "estimate": line[name], "method": method, **limits, **counts})
    rows += [
        {"key": f"net_benefit_{line['horizon']}d:{line['strategy']}:{line['threshold']:g}",
         "estimate": line["net_benefit"], "method": "net benefit (Vickers & Elkin 2006)"}
        for line in decision.iter_rows(named=True)
    ]  # fmt: skip
    return rows


_METHODS: Mapping[str, str] = {
    "auc": "time-dependent AUC, IPCW", "brier": "Brier score, IPCW", "ipa": "index of prediction accuracy",
    "oe": "observed / expected", "slope": "calibration slope", "ici": "integrated calibration index",
    "e50": "median distance of calibration", "e90": "90th percentile of the distance of calibration",
}  # fmt: skip
