"""Every estimator on public data beside R's answer: what is compared with what, and how near it must be.

Frames and answers come in (those that travel with the package, see reference_data); what a breach leads to, and
simulations (selfcheck), do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.calibration import calibrate
from aclf_pipeline.science.concordance import harrell, of_fit, uno
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.decision_curve import decision_curve
from aclf_pipeline.science.episodes import fit_changing_coefficient, piecewise_ratios
from aclf_pipeline.science.fine_gray import fit_fine_gray
from aclf_pipeline.science.firth import fit_firth
from aclf_pipeline.science.multiplicity import adjust_p
from aclf_pipeline.science.nomogram import nomogram
from aclf_pipeline.science.product_limit import product_limit
from aclf_pipeline.science.proportional_hazards import TRANSFORMS, proportional_hazards
from aclf_pipeline.science.splines import fit_cox_with_splines, hazard_ratio_curve, rms_knots
from aclf_pipeline.science.standardised import standardised_survival
from aclf_pipeline.science.survival_performance import brier_score, time_dependent_auc
from aclf_pipeline.science.weibull import fit_weibull

Frames = Mapping[str, pl.DataFrame]
HORIZONS = (365, 1095, 1825, 2555)
# R's model → data, time, event, entry, and further arguments by column.
COX: dict[str, tuple[str, str, str, str | None, dict[str, Any]]] = {
    "lung_efron": ("lung", "time", "event", None, {}),
    "lung_ties_efron": ("lung", "month", "event", None, {}),
    "lung_ties_breslow": ("lung", "month", "event", None, {}),
    "lung_freqw": ("lung", "time", "event", None, {"weight": "wi"}),
    "lung_robust": ("lung", "time", "event", None, {"robust": True}),
    "lung_strata": ("lung", "time", "event", None, {"strata": "sex"}),
    "veteran": ("veteran", "time", "status", None, {}),
    "pbc_tfs": ("pbc", "time", "tfs", None, {}),
    "pbc_lt": ("pbc_second_visit", "time", "tfs", "entry", {}),
    "pbc_w_robust": ("pbc", "time", "tfs", None, {"weight": "w", "robust": True}),
}


class Compared(NamedTuple):
    """One quantity on one data set: our numbers and R's, and the largest difference allowed."""

    quantity: str
    data_set: str
    ours: ArrayLike
    theirs: ArrayLike
    tolerance: float


def comparisons(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    """Yield every comparison; raises StatisticalProblem where an estimator refuses what R answers."""
    parts: tuple[Callable[[Frames, Mapping[str, Any]], Iterator[Compared]], ...] = (
        _cox_models,
        _curves,
        _competing,
        _penalised,
        _over_time,
        _predictions,
        _shapes,
    )
    for part in parts:
        yield from part(data, answers)


def numbers(values: Any) -> np.ndarray:
    """R's null is NaN."""
    return np.array(values, dtype=object).astype(np.float64)


def _fit(data: Frames, name: str, expected: Mapping[str, Any]) -> CoxFit:
    """The model R fitted."""
    of, time, event, start, options = COX[name]
    frame = data[of]
    arguments: dict[str, Any] = {key: frame[value].to_numpy() if isinstance(value, str) else value
                                 for key, value in options.items()}  # fmt: skip
    return fit_cox(
        frame[time].to_numpy(),
        frame[event].to_numpy() == 1,
        frame.select(expected["terms"]).to_numpy().astype(np.float64),
        expected["terms"],
        start=frame[start].to_numpy() if start else None,
        ties=expected["method"],
        **arguments,
    )


def _cox_models(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    for name, expected in answers["cox"].items():
        if name not in COX:
            continue
        fit = _fit(data, name, expected)
        concordance = of_fit(fit)
        yield Compared("Cox log hazard ratio", name, fit.coef, expected["coef"], 1e-8)
        yield Compared("Cox standard error", name, fit.se, expected["se"], 1e-8)
        yield Compared("Cox log likelihood", name, [fit.loglik_null, fit.loglik], expected["loglik"], 1e-8)
        ours = [concordance.c, concordance.se]
        yield Compared("concordance of a model and its error", name, ours, expected["concordance"], 1e-9)
        for transform in TRANSFORMS if "zph" in expected else ():
            answer = expected["zph"][transform]
            statistic = proportional_hazards(fit, transform)["statistic"]
            yield Compared(f"proportional hazards, {transform}", name, statistic, answer["chisq"], 1e-6)
        if "pred" in expected:
            times = numbers(expected["pred"]["times"])
            people = fit.data.design[: len(expected["pred"]["surv"][0])]
            curves = cox_curves.survival(fit, people, times, interval="log")
            yield Compared("predicted survival", name, curves.survival.T, expected["pred"]["surv"], 1e-8)
            yield Compared("error of predicted survival", name, curves.se.T, expected["pred"]["se"], 1e-8)


def _curves(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    pbc, expected = data["pbc"], answers["weighted_curve"]
    for robust, key in ((False, "se_greenwood"), (True, "se_robust")):
        curve = product_limit(pbc["time"], pbc["tfs"], weight=pbc["w"], robust=robust).at(expected["time"])
        if not robust:
            yield Compared("Kaplan–Meier, weighted", "pbc", curve["survival"], expected["surv"], 1e-10)
        error = curve["se"] * curve["survival"] if robust else curve["se"]
        yield Compared(f"error of Kaplan–Meier, {key.removeprefix('se_')}", "pbc", error, expected[key], 1e-10)
    fit, answer = _pbc(data, ["age", "sex_f", "edema", "log_bili", "albumin", "log_protime"]), answers["standardised"]
    found = standardised_survival(fit, {"s0": {"sex_f": 0.0}, "s1": {"sex_f": 1.0}}, answer["times"]).curves
    for key in ("s0", "s1"):
        ours = found.filter(pl.col("setting") == key)["survival"]
        yield Compared("standardised survival", "pbc", ours, answer[key], 1e-6)


def _competing(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    pbc = data["pbc"]
    for cause, key in ((1, "pbc_death"), (2, "pbc_tx")):
        expected = answers["fine_gray"][key]
        design = pbc.select(expected["terms"]).to_numpy().astype(np.float64)
        fit = fit_fine_gray(pbc["time"], pbc["etype"], design, expected["terms"], cause=cause)
        yield Compared("Fine–Gray log hazard ratio", key, fit.coef, expected["coef"], 1e-7)
        yield Compared("Fine–Gray standard error", key, fit.se, expected["se"], 1e-6)


def _penalised(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    for key, of, time in (("separation_PL", "separation", "time"), ("lung_ties", "lung", "month")):
        expected, frame = answers["firth"][key], data[of]
        design = frame.select(expected["terms"]).to_numpy().astype(np.float64)
        fit = fit_firth(frame[time].to_numpy(), frame["event"].to_numpy() == 1, design, expected["terms"])
        yield Compared("Firth log hazard ratio", of, fit.coef, expected["coef"], 1e-6)
        for name, ours in (("lower", fit.lower), ("upper", fit.upper)):
            yield Compared(f"Firth profile limit, {name}", of, np.exp(ours), expected[name], 1e-6)
        yield Compared("Firth p", of, fit.p, expected["p"], 1e-6)
    expected = answers["p_adjust"]
    for method in (name for name in expected if name != "p"):
        yield Compared(f"adjusted p, {method}", "p.adjust", adjust_p(expected["p"], method), expected[method], 1e-12)


def _over_time(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    frame, terms = data["veteran"], ["trt2", "age", "karno"]
    stop, event = frame["time"].to_numpy(), frame["status"].to_numpy() == 1
    design = frame.select(terms).to_numpy().astype(np.float64)
    expected = answers["time_varying"]
    split = piecewise_ratios(stop, event, design, terms, "karno", [90, 180]).fit
    yield Compared("piecewise log hazard ratio", "veteran", split.coef, expected["split"]["coef"], 1e-7)
    yield Compared("piecewise standard error", "veteran", split.se, expected["split"]["se"], 1e-7)
    changing = fit_changing_coefficient(stop, event, design, terms, "karno", lambda t: np.asarray(np.log(t + 20)))
    yield Compared("coefficient changing with time", "veteran", changing.coef, expected["tt"]["coef"], 1e-7)
    frame, expected = data["lung"], answers["weibull"]
    terms = expected["terms"][1:]
    design = frame.select(terms).to_numpy().astype(np.float64)
    model = fit_weibull(frame["time"].to_numpy(), frame["event"].to_numpy() == 1, design, terms)
    yield Compared("Weibull coefficients", "lung", model.coef, expected["coef"], 1e-6)
    yield Compared("Weibull scale", "lung", [model.scale], [expected["scale"]], 1e-6)


def _predictions(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    pbc, fit = data["pbc"], _pbc(data, answers["nomogram"]["terms"])
    time, event, linear = pbc["time"], pbc["tfs"], fit.linear_predictor
    risk = 1 - cox_curves.survival(fit, fit.data.design, np.array(HORIZONS, dtype=np.float64)).survival
    answer = answers["concordance"]
    stop, happened = time.to_numpy().astype(np.float64), event.to_numpy() == 1
    for key, found in (
        ("harrell", harrell(stop, happened, linear)),
        ("harrell_1825", harrell(stop, happened, linear, until=1825)),
        ("uno", uno(stop, happened, linear)),
        ("uno_3000", uno(stop, happened, linear, until=3000)),
    ):
        ours, theirs = [found.c, found.se], [answer[key]["c"], np.sqrt(answer[key]["var"])]
        yield Compared(f"concordance, {key.replace('_', ' to ')}", "pbc", ours, theirs, 1e-9)
    score = answers["score"]
    auc = time_dependent_auc(time, event, risk, HORIZONS)
    brier = brier_score(time, event, risk, HORIZONS)
    yield Compared("AUC at a horizon (Score)", "pbc", auc["auc"], score["auc"]["AUC"], 1e-9)
    yield Compared("its error", "pbc", auc["se"], score["auc"]["se"], 1e-9)
    yield Compared("Brier score", "pbc", brier["brier"], score["brier"]["Brier"][4:], 1e-9)
    yield Compared("its error", "pbc", brier["se"], score["brier"]["se"][4:], 1e-9)
    yield Compared("index of prediction accuracy", "pbc", brier["ipa"], score["brier"]["IPA"][4:], 1e-9)
    roc = answers["time_roc"]
    early = time_dependent_auc(time, event, linear, HORIZONS, cases="T<t")
    yield Compared("AUC at a horizon (timeROC)", "pbc", early["auc"], roc["pbc_tfs"]["auc"], 1e-9)
    for controls, key in (("event-free", "auc_1"), ("not a case", "auc_2")):
        competing = time_dependent_auc(time, pbc["etype"], linear, HORIZONS, cases="T<t", controls=controls)
        yield Compared("AUC with competing events", "pbc", competing["auc"], roc["pbc_competing"][key], 1e-9)
    calibration, answer = calibrate(time, event, risk[:, 1], 1095), answers["calibration"]
    for name in ("ici", "e50", "e90", "emax"):
        yield Compared(f"calibration, {name}", "pbc", [getattr(calibration, name)], [answer[name]], 1e-8)
    yield Compared("observed over expected", "pbc", [calibration.oe.estimate], [answer["oe"]], 1e-8)
    yield Compared("calibration in fifths", "pbc", calibration.groups["observed"], answer["group_obs"], 1e-8)
    decision = answers["decision"]
    net = decision_curve(time, event, {"model": risk[:, 1]}, decision["time"], decision["threshold"])
    benefit = net.filter(pl.col("strategy") == "model")["net_benefit"]
    yield Compared("net benefit", "pbc", benefit, decision["net_benefit"], 1e-9)


def _shapes(data: Frames, answers: Mapping[str, Any]) -> Iterator[Compared]:
    expected, pbc = answers["spline"]["k4"], data["pbc"]
    terms = ["log_bili", "age", "edema", "albumin", "log_protime"]
    knots = rms_knots(pbc["log_bili"], 4)
    design = pbc.select(terms).to_numpy().astype(np.float64)
    happened = pbc["tfs"].to_numpy() == 1
    model = fit_cox_with_splines(pbc["time"].to_numpy(), happened, design, terms, {"log_bili": knots})
    curve = hazard_ratio_curve(model, "log_bili", expected["contrast"]["x"], expected["contrast"]["ref"])
    yield Compared("knots", "pbc", knots, expected["knots"], 1e-8)
    yield Compared("spline, log hazard ratio", "pbc", curve["log_hr"], expected["contrast"]["loghr"], 1e-8)
    yield Compared("spline, standard error", "pbc", curve["se"], expected["contrast"]["se"], 1e-8)
    answer = answers["nomogram"]
    found = nomogram(_pbc(data, answer["terms"]), [365])
    for name, axis in answer["points"].items():
        points = found.points.filter(pl.col("variable") == name)["points"]
        yield Compared("nomogram, points", f"pbc, {name}", points, axis["points"], 1e-6)
    yield Compared("nomogram, total", "pbc", found.total["points"], answer["total"]["points"], 1e-6)


def _pbc(data: Frames, terms: list[str]) -> CoxFit:
    """Transplant-free survival on some terms."""
    frame = data["pbc"]
    design = frame.select(terms).to_numpy().astype(np.float64)
    return fit_cox(frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1, design, terms)
