"""Every file of R's answers beside the repository, and what our estimators say: quantity, ours, R's, tolerance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.calibration import calibrate
from aclf_pipeline.science.competing_risks import cumulative_incidence
from aclf_pipeline.science.concordance import harrell, of_fit, uno
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.cox_residuals import deviance, dfbeta, martingale, schoenfeld
from aclf_pipeline.science.decision_curve import decision_curve
from aclf_pipeline.science.elastic_net import cross_validate, elastic_net_path
from aclf_pipeline.science.episodes import fit_changing_coefficient, piecewise_ratios
from aclf_pipeline.science.fine_gray import fit_fine_gray, predicted_incidence
from aclf_pipeline.science.fine_gray_episodes import fit_fine_gray_episodes
from aclf_pipeline.science.firth import fit_firth
from aclf_pipeline.science.gray import gray_test
from aclf_pipeline.science.group_tests import compare_groups, normality
from aclf_pipeline.science.incidence_jackknife import incidence_with_jackknife
from aclf_pipeline.science.logrank import logrank_test
from aclf_pipeline.science.multiplicity import adjust_p
from aclf_pipeline.science.nomogram import nomogram
from aclf_pipeline.science.optimism import CoxOnRows, resample
from aclf_pipeline.science.pooling import pool_fits, wald_test
from aclf_pipeline.science.product_limit import product_limit
from aclf_pipeline.science.proportional_hazards import TRANSFORMS, proportional_hazards
from aclf_pipeline.science.pseudo_values import pseudo_restricted_mean, pseudo_survival
from aclf_pipeline.science.rmst import contrast_means, restricted_mean
from aclf_pipeline.science.selfcheck import coverage
from aclf_pipeline.science.splines import fit_cox_with_splines, hazard_ratio_curve, rms_knots, spline_basis, spline_test
from aclf_pipeline.science.standardised import standardised_survival
from aclf_pipeline.science.subgroups import subgroup_effects
from aclf_pipeline.science.survival import reverse_km
from aclf_pipeline.science.survival_performance import brier_score, integrated, roc_curve, time_dependent_auc
from aclf_pipeline.science.weibull import fit_weibull
from aclf_pipeline_tests.science.cox_cases import R_FITS, fit_as_r
from aclf_pipeline_tests.science.reference import FOLDER, answers, data, numbers

FIVE = ["age", "edema", "log_bili", "albumin", "log_protime"]
DAYS = (365, 1095, 1825, 2555)
SETS = {"lung": "lung_complete", "veteran": "veteran", "pbcseq_tv": "pbcseq_tv", "pbc_lt": "pbc_left_truncated",
        "pbc_lt_naive": "pbc_left_truncated"}  # fmt: skip


class Quantity(NamedTuple):
    """One quantity of one file; differences are relative where `relative`."""

    name: str
    ours: ArrayLike
    theirs: Any
    tolerance: float
    relative: bool = False


def cox(name: str, time: str, event: str, terms: list[str], start: str | None = None) -> CoxFit:
    frame = data(name)
    return fit_cox(frame[time].to_numpy(), frame[event].to_numpy() == 1, frame.select(terms).to_numpy().astype(float),
                   terms, start=frame[start].to_numpy() if start else None)  # fmt: skip


def kaplan_meier(r: Any) -> Iterator[Quantity]:
    lung, pbc, late = data("lung"), data("pbc"), data("pbc_left_truncated")
    for key, answer in r.items():
        rows = {"pbc_lt": late, "pbc_tf": pbc, "lung_s": lung}.get(key[:6], lung)
        rows = rows.filter(pl.col("sex") == int(key[8])) if key.startswith("lung_sex") else rows
        entry = rows["entry"] if key.startswith("pbc_lt") else None
        event = rows["tfs" if key.startswith("pbc") else "event"]
        curve = product_limit(rows["time"], event, entry=entry, interval=key.rsplit("_", 1)[1])
        table, quantile = curve.table(), curve.quantiles(answer["quantiles"]["p"])
        for ours, theirs in (("survival", "surv"), ("se", "se_surv"), ("lower", "lower"), ("upper", "upper")):
            yield Quantity(f"Kaplan–Meier, {ours}", table[ours], answer["table"][theirs], 1e-10)
        for ours, theirs in (("time", "q"), ("lower", "lower"), ("upper", "upper")):
            yield Quantity("quantiles and limits", quantile[ours], answer["quantiles"][theirs], 1e-10)


def follow_up(r: Any) -> Iterator[Quantity]:
    for name, event in (("lung", "event"), ("pbc", "tfs")):
        median = reverse_km(data(name), duration="time", event=event)["median"]
        yield Quantity("median follow-up", median, [r[f"{name}_median_followup"]], 0)


def logrank(r: Any) -> Iterator[Quantity]:
    lung, vet, whole = data("lung"), data("veteran"), data("lung_complete")
    found = {
        "lung_sex": logrank_test(lung["time"], lung["event"], lung["sex"]),
        "lung_sex_peto": logrank_test(lung["time"], lung["event"], lung["sex"], rho=1),
        "veteran_trt": logrank_test(vet["time"], vet["status"], vet["trt"]),
        "lung_sex_strat_ecog": logrank_test(whole["time"], whole["event"], whole["sex"], strata=whole["ph_ecog"]),
    }
    for key, test in found.items():
        yield Quantity("log-rank", [test.test.statistic], [r[key]["chisq"]], 1e-9)
    late = data("pbc_left_truncated")
    score = fit_cox(late["time"].to_numpy(), late["tfs"].to_numpy() == 1, late.select("sex_f").to_numpy(), ["sex_f"],
                    start=late["entry"].to_numpy(), ties="breslow").score  # fmt: skip
    yield Quantity("score test, delayed entry", [score.statistic], [r["lt_sex_cox_score"]["chisq"]], 1e-9)


def cox_models(r: Any) -> Iterator[Quantity]:
    for key, answer in r.items():
        name = SETS.get(key, SETS.get(key.split("_")[0], "pbc_cc"))
        fit = fit_as_r(key, data(name), answer)
        c = of_fit(fit)
        yield Quantity("Cox, coefficients", fit.coef, answer["coef"], 1e-8)
        yield Quantity("Cox, standard errors", fit.se, answer["se"], 1e-8)
        yield Quantity("Cox, log likelihood", [fit.loglik_null, fit.loglik], answer["loglik"], 1e-8)
        yield Quantity("Cox, likelihood ratio and score", [fit.lr.statistic, fit.score.statistic],
                       [answer["lrt"][0], answer["score"][0]], 1e-7)  # fmt: skip
        yield Quantity("concordance of a fit", [c.c, c.se], answer["concordance"], 1e-9)
        for ours, theirs in ((martingale(fit), "martingale"), (deviance(fit), "deviance"), (dfbeta(fit), "dfbeta")):
            if answer.get(theirs) is not None:
                yield Quantity(f"residuals, {theirs}", np.ravel(ours), np.ravel(answer[theirs]), 1e-8)
        if answer.get("scaledsch") is not None and "strata" not in R_FITS[key][3]:
            yield Quantity("residuals, scaled Schoenfeld", schoenfeld(fit).scaled, answer["scaledsch"], 1e-6)
        for transform in TRANSFORMS if answer.get("zph") else ():
            theirs = answer["zph"][transform]["chisq"]
            yield Quantity("proportional hazards", proportional_hazards(fit, transform)["statistic"], theirs, 1e-6)
        if answer.get("pred"):
            people = fit.data.design[: len(answer["pred"]["surv"][0])]
            curves = cox_curves.survival(fit, people, numbers(answer["pred"]["times"]), interval="log")
            yield Quantity("predicted survival", curves.survival.T, answer["pred"]["surv"], 1e-8)
            yield Quantity("predicted survival, error", curves.se.T, answer["pred"]["se"], 1e-8)


def aalen_johansen(r: Any) -> Iterator[Quantity]:
    for key, time in (("pbc", "time"), ("mgus2", "etime"), ("pbc_left_truncated", "time")):
        frame = data(key)
        ours = incidence_with_jackknife(frame[time], frame["etype"], entry=frame.get_column("entry", default=None))
        yield Quantity("Aalen–Johansen", ours.probability, r[key]["pstate"], 1e-10)
        yield Quantity("Aalen–Johansen, error", ours.se, r[key]["se"], 1e-10)
    men = data("mgus2").filter(pl.col("sex_m") == 0).with_columns(pl.col("etype").cast(pl.String))
    table = cumulative_incidence(men, duration="etime", event="etype", censored="0").filter(pl.col("time") > 0)
    theirs = numbers(r["mgus2_sex0"]["pstate"])
    for k, state in enumerate(("event_free", "1", "2")):
        ours = table.filter(pl.col("state") == state)["probability"]
        yield Quantity("Aalen–Johansen, one group", ours, theirs[:, k], 1e-10)


def gray(r: Any) -> Iterator[Quantity]:
    for key, name, time, group in (("mgus2_by_sex", "mgus2", "etime", "sex_m"), ("pbc_by_sex", "pbc", "time", "sex_f")):
        frame = data(name)
        ours = [gray_test(frame[time], frame["etype"], frame[group], cause=cause).statistic for cause in (1, 2)]
        yield Quantity("Gray's test", ours, r[key]["tests"]["stat"], 1e-8)


def fine_gray(r: Any) -> Iterator[Quantity]:
    frame = data("pbc_cc")
    design = frame.select(FIVE).to_numpy().astype(float)
    for key, cause in (("pbc_death", 1), ("pbc_tx", 2)):
        fit = fit_fine_gray(frame["time"], frame["etype"], design, FIVE, cause=cause)
        yield Quantity("Fine–Gray, coefficients", fit.coef, r[key]["coef"], 1e-7)
        yield Quantity("Fine–Gray, errors of crr", fit.se, r[key]["se"], 1e-6)
        yield Quantity("Fine–Gray, log likelihood", [fit.loglik_null, fit.loglik],
                       [r[key]["loglik_null"], r[key]["loglik"]], 1e-8)  # fmt: skip
        if "pred_cif" in r[key]:
            ours = predicted_incidence(fit, design[:3], r[key]["pred_cif"]["time"]).T
            yield Quantity("Fine–Gray, predicted", ours, r[key]["pred_cif"]["cif"], 1e-8)
    episodes = fit_fine_gray_episodes(frame["time"], frame["etype"], design, FIVE)
    answer = r["pbc_death_finegray"]
    yield Quantity("finegray, coefficients", episodes.coef, answer["coef"], 1e-7)
    yield Quantity("finegray, robust errors", episodes.se, answer["se_robust"], 1e-6)


def rmst(r: Any) -> Iterator[Quantity]:
    lung, pbc = data("lung"), data("pbc")
    for key, answer in r.items():
        if key.startswith("pbc"):
            mean = restricted_mean(pbc["time"], pbc["tfs"], answer["tau"])
            yield Quantity("restricted mean", [mean.mean, mean.se], [answer["rmst"], answer["se"]], 1e-8)
            continue
        one, two = (
            restricted_mean(rows["time"], rows["event"], answer["tau"])
            for rows in (lung.filter(pl.col("sex") == 2), lung.filter(pl.col("sex") == 1))
        )
        found = contrast_means(one, two)
        ours = [[c.estimate, c.lower, c.upper, c.p] for c in (found.difference, found.ratio, found.ratio_lost)]
        yield Quantity("restricted mean, contrasts", ours, answer["contrast"], 1e-8)


def concordance(r: Any) -> Iterator[Quantity]:
    frame = data("pbc_lp")
    time, event, lp = frame["time"].to_numpy().astype(float), frame["tfs"].to_numpy() == 1, frame["lp"].to_numpy()
    for key, found in (
        ("harrell", harrell(time, event, lp)),
        ("harrell_1825", harrell(time, event, lp, until=1825)),
        ("uno", uno(time, event, lp)),
        ("uno_3000", uno(time, event, lp, until=3000)),
    ):
        yield Quantity("concordance and its variance", [found.c, found.se**2], [r[key]["c"], r[key]["var"]], 1e-9)


def time_roc(r: Any) -> Iterator[Quantity]:
    frame = data("pbc_lp")
    for key, outcome, suffix, controls in (
        ("pbc_tfs", "tfs", "", "not a case"),
        ("pbc_competing", "etype", "_1", "event-free"),
        ("pbc_competing", "etype", "_2", "not a case"),
    ):
        ours = time_dependent_auc(frame["time"], frame[outcome], frame["lp"], DAYS, cases="T<t", controls=controls)
        theirs = numbers(r[key][f"se{suffix}"])
        known = ~np.isnan(theirs)
        yield Quantity("AUC, timeROC", ours["auc"], r[key][f"auc{suffix}"], 1e-9)
        yield Quantity("AUC, timeROC, error", ours["se"].to_numpy()[known], theirs[known], 1e-9)
    curve = roc_curve(frame["time"], frame["tfs"], frame["lp"], 1095, cases="T<t")
    yield Quantity("ROC curve", curve["true_positive"], r["pbc_tfs"]["tp_1095"], 1e-9)


def score(r: Any) -> Iterator[Quantity]:
    for name, outcome, columns, prefix in (
        ("pbc_risks", "tfs", "^risk_.*$", ""),
        ("pbc_csc_risks", "etype", "^cif_.*$", "cr_"),
    ):
        frame = data(name)
        risk = frame.select(columns).to_numpy()
        auc = time_dependent_auc(frame["time"], frame[outcome], risk, DAYS)
        brier = brier_score(frame["time"], frame[outcome], risk, DAYS)
        yield Quantity(f"AUC, Score, {outcome}", auc["auc"], r[f"{prefix}auc"]["AUC"], 1e-9)
        yield Quantity(f"AUC, Score, {outcome}, error", auc["se"], r[f"{prefix}auc"]["se"], 1e-9)
        yield Quantity(f"Brier, {outcome}", brier["brier"], r[f"{prefix}brier"]["Brier"][4:], 1e-9)
        yield Quantity(f"Brier, {outcome}, error", brier["se"], r[f"{prefix}brier"]["se"][4:], 1e-9)
    frame, fit = data("pbc_cc"), cox("pbc_cc", "time", "tfs", FIVE)
    grid = numbers(r["pec_times"])[1:]
    curve = brier_score(frame["time"], frame["tfs"], 1 - cox_curves.survival(fit, fit.data.design, grid).survival,
                        grid.tolist())["brier"]  # fmt: skip
    yield Quantity("Brier curve, pec", curve, r["pec_cox"][1:], 1e-9)
    whole = integrated([0, *grid], [0, *curve], until=2555)
    yield Quantity("integrated Brier", [whole], [r["ibs_2555"]["cox"]], 1e-9)


def mice(r: Any) -> Iterator[Quantity]:
    long = data("pbc_mice20_long")
    fits = [
        fit_cox(rows["time"].to_numpy(), rows["tfs"].to_numpy() == 1, rows.select(r["terms"]).to_numpy().astype(float),
                r["terms"]) for _, rows in sorted(long.group_by(".imp"))
    ]  # fmt: skip
    pooled = pool_fits(fits)
    for ours, theirs in (("coef", "estimate"), ("se", "se"), ("lower", "lower"), ("upper", "upper"), ("fmi", "fmi"), ("p", "p")):  # fmt: skip  # noqa: E501
        yield Quantity(f"pooled, {ours}", getattr(pooled, ours), r[theirs], 1e-7)
    yield Quantity("pooled, Barnard–Rubin df", pooled.df, r["df"], 1e-5)
    test = wald_test(pooled, ["platelet", "log_copper", "log_chol"])
    yield Quantity("D1", [test.statistic, test.riv, test.p], [r["D1"][k] for k in ("F", "riv", "p")], 1e-7)


def optimism(r: Any) -> Iterator[Quantity]:
    fit, frame = cox("pbc_cc", "time", "tfs", FIVE), data("pbc_cc")
    on_rows = CoxOnRows(fit.data.stop, fit.data.event, frame.select(FIVE).to_numpy().astype(float), tuple(FIVE), ())
    draws = np.loadtxt(FOLDER / "inputs" / "pbc_boot_idx0_200.csv", delimiter=",", dtype=np.int64)
    found = resample(fit.data.stop, fit.data.event, on_rows, draws)
    yield Quantity("optimism, apparent C", [found.apparent[0]], [r["apparent"]], 1e-9)
    yield Quantity("optimism, C of each resample", found.own[:, 0], r["boot_c"], 1e-9)
    yield Quantity("optimism, C of all in its model", found.test[:, 0], r["test_c"], 1e-9)
    yield Quantity("optimism, slope", found.test[:, 1], r["slope"], 1e-9)
    corrected = found.apparent[0] - float(np.mean(found.own[:, 0] - found.test[:, 0]))
    yield Quantity("optimism, beside rms::validate", [corrected], [r["rms_validate_B1000"]["corrected_c"]], 0.004)


def rcs(r: Any) -> Iterator[Quantity]:
    frame, terms = data("pbc_cc"), ["log_bili", "age", "edema", "albumin", "log_protime"]
    for key, answer in r.items():
        knots = rms_knots(frame["log_bili"], int(key[1]))
        model = fit_cox_with_splines(frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1,
                                     frame.select(terms).to_numpy().astype(float), terms,
                                     {"log_bili": knots})  # fmt: skip
        curve = hazard_ratio_curve(model, "log_bili", answer["contrast"]["x"], answer["contrast"]["ref"])
        tests = spline_test(model, "log_bili")
        rows = dict(zip((row.strip() for row in answer["anova"]["rows"]), answer["anova"]["values"], strict=True))
        yield Quantity("spline, knots", knots, answer["knots"], 1e-8)
        yield Quantity("spline, basis", spline_basis(frame["log_bili"][:10], knots), answer["basis_head"], 1e-8)
        yield Quantity("spline, coefficients", model.coef, answer["coef"], 1e-8)
        yield Quantity("spline, log hazard ratio", curve["log_hr"], answer["contrast"]["loghr"], 1e-8)
        yield Quantity("spline, error", curve["se"], answer["contrast"]["se"], 1e-8)
        ours = [tests.association.statistic, tests.nonlinearity.statistic]
        yield Quantity("spline, Wald tests", ours, [rows["log_bili"][0], rows["Nonlinear"][0]], 1e-7)


def firth(r: Any) -> Iterator[Quantity]:
    for key, name, time in (("separation_PL", "separation", "time"), ("lung_ties", "lung_complete", "month")):
        answer, frame = r[key], data(name)
        fit = fit_firth(frame[time].to_numpy(), frame["event"].to_numpy() == 1,
                        frame.select(answer["terms"]).to_numpy().astype(float), answer["terms"])  # fmt: skip
        yield Quantity("Firth, coefficients and errors", [fit.coef, fit.se], [answer["coef"], answer["se"]], 1e-6)
        yield Quantity(
            "Firth, profile limits", np.exp([fit.lower, fit.upper]), [answer["lower"], answer["upper"]], 1e-6
        )
        yield Quantity("Firth, p and log likelihood", [*fit.p, fit.loglik_null, fit.loglik],
                       [*answer["p"], *answer["loglik"]], 1e-6)  # fmt: skip


def glmnet(r: Any) -> Iterator[Quantity]:
    frame = data("rotterdam")
    inputs = (frame["time"].to_numpy(), frame["event"].to_numpy() == 1,
              frame.select(r["terms"]).to_numpy().astype(float), r["terms"])  # fmt: skip
    yield Quantity("lasso path", elastic_net_path(*inputs).coef, r["beta"], 2e-4)
    yield Quantity("elastic-net path", elastic_net_path(*inputs, alpha=0.5).coef, r["alpha05_beta"], 2e-4)
    found = cross_validate(*inputs, data("rotterdam_folds")["fold"].to_numpy())
    yield Quantity("lasso, cross-validated deviance", found.deviance, r["cv"]["cvm"], 2e-4)
    chosen = [found.least, found.simplest]
    yield Quantity("lasso, chosen penalties", chosen, [r["cv"]["lambda_min"], r["cv"]["lambda_1se"]], 2e-6)


def dca(r: Any) -> Iterator[Quantity]:
    frame = data("pbc_risks")
    thresholds = sorted(set(r["threshold"]))
    ours = decision_curve(frame["time"], frame["tfs"], {"risk_1095": frame["risk_1095"]}, r["time"], thresholds)
    theirs = pl.DataFrame({"strategy": r["variable"], "threshold": r["threshold"], "r": numbers(r["net_benefit"])})
    both = ours.join(theirs, on=["strategy", "threshold"])
    yield Quantity("net benefit", both["net_benefit"], both["r"], 1e-9)


def calibration(r: Any) -> Iterator[Quantity]:
    frame = data("pbc_risks")
    found = calibrate(frame["time"], frame["tfs"], frame["risk_1095"], r["time"])
    for name in ("ici", "e50", "e90", "emax"):
        yield Quantity(f"calibration, {name}", [getattr(found, name)], [r[name]], 1e-8)
    yield Quantity("calibration, curve", found.calibrated[:10], r["calibrated_head"], 1e-8)
    yield Quantity("calibration, fifths", found.groups["observed"], r["group_obs"], 1e-8)
    yield Quantity("calibration, observed/expected", [found.oe.estimate], [r["oe"]], 1e-8)


def points(r: Any) -> Iterator[Quantity]:
    found = nomogram(cox("pbc_cc", "time", "tfs", r["terms"]), [365])
    for name, axis in r["points"].items():
        yield Quantity(
            "nomogram, points", found.points.filter(pl.col("variable") == name)["points"], axis["points"], 1e-6
        )
    yield Quantity("nomogram, total", found.total["points"], r["total"]["points"], 1e-6)


def multiplicity(r: Any) -> Iterator[Quantity]:
    for method in (name for name in r if name != "p"):
        yield Quantity(f"adjusted p, {method}", adjust_p(r["p"], method), r[method], 1e-12)


def table_one(r: Any) -> Iterator[Quantity]:
    text = [name for name, answer in r.items() if "table" in answer]
    frame = data("pbc").with_columns(pl.col(text).cast(pl.String))
    found = compare_groups(frame, list(r), "tfs")
    by_edema = compare_groups(frame, [name for name in r if name not in text], "edema")
    shapiro = normality(frame, [name for name in r if name not in text], "tfs")

    def p(table: pl.DataFrame, name: str, test: str) -> list[float]:
        return table.filter((pl.col("variable") == name) & (pl.col("test") == test))["p"].to_list()

    for name, answer in r.items():
        if name in text:
            yield Quantity("chi-square, Fisher", [p(found, name, "chi2"), p(found, name, "fisher")],
                           [[answer["chisq"]], [answer["fisher"]]], 1e-8)  # fmt: skip
            continue
        ours = [p(found, name, test)[0] for test in ("welch", "student", "wilcoxon")]
        yield Quantity("Welch, Student, Wilcoxon", ours, [answer[k] for k in ("welch", "student", "wilcox")], 1e-8)
        ours = [p(by_edema, name, test)[0] for test in ("kruskal", "anova")]
        yield Quantity("Kruskal–Wallis, analysis of variance", ours, [answer[f"{k}_edema"] for k in ("kruskal", "anova")], 1e-8)  # fmt: skip  # noqa: E501
        yield Quantity("Shapiro–Wilk", shapiro.filter(pl.col("variable") == name)["p"], answer["shapiro"], 1e-8)


def subgroup(r: Any) -> Iterator[Quantity]:
    frame = data("rotterdam").with_columns(age_ge55=pl.col("age") >= 55)
    found = subgroup_effects(frame, "time", "event", "hormon", list(r))
    for name, answer in r.items():
        rows = found.filter(pl.col("subgroup") == name)
        theirs = [[level["hr"], level["lo"], level["hi"]] for level in answer["levels"]]
        yield Quantity("subgroup, ratio and limits", rows.select("hr", "lower", "upper").to_numpy(), theirs, 1e-8)
        tests = [rows["p_interaction"][0], rows["p_wald"][0]]
        yield Quantity("interaction, p", tests, [answer["p_lrt"], answer["p_wald"]], 1e-8)


def over_time(r: Any) -> Iterator[Quantity]:
    frame, terms = data("veteran"), ["trt2", "age", "karno"]
    inputs = (frame["time"].to_numpy(), frame["status"].to_numpy() == 1, frame.select(terms).to_numpy().astype(float), terms)  # fmt: skip  # noqa: E501
    split = piecewise_ratios(*inputs, "karno", [90, 180]).fit
    yield Quantity("split follow-up", [split.coef, split.se], [r["split"]["coef"], r["split"]["se"]], 1e-7)
    changing = fit_changing_coefficient(*inputs, "karno", lambda t: np.log(t + 20))
    yield Quantity("changing coefficient", [changing.coef, changing.se], [r["tt"]["coef"], r["tt"]["se"]], 1e-7)


def others(r: Any) -> Iterator[Quantity]:
    frame = data("pbc_cc")
    fit = cox("pbc_cc", "time", "tfs", ["age", "sex_f", "edema", "log_bili", "albumin", "log_protime"])
    curves = standardised_survival(fit, {"s0": {"sex_f": 0.0}, "s1": {"sex_f": 1.0}}, r["standardised"]["times"]).curves
    yield Quantity("standardised survival", curves["survival"], r["standardised"]["s0"] + r["standardised"]["s1"], 1e-6)
    time, event = frame["time"], frame["tfs"]
    yield Quantity("pseudo-values, survival", pseudo_survival(time, event, 1095), np.ravel(r["pseudo_surv_1095"]), 1e-6)
    yield Quantity(
        "pseudo-values, mean", pseudo_restricted_mean(time, event, 1095), np.ravel(r["pseudo_rmst_1095"]), 1e-6
    )
    lung, terms = data("lung_complete"), r["weibull"]["terms"][1:]
    model = fit_weibull(lung["time"].to_numpy(), lung["event"].to_numpy() == 1, lung.select(terms).to_numpy(), terms)
    yield Quantity("Weibull", [*model.coef, model.scale], [*r["weibull"]["coef"], r["weibull"]["scale"]], 1e-6)
    for robust, key in ((False, "se_greenwood"), (True, "se_robust")):
        curve = product_limit(time, event, weight=frame["w"], robust=robust)
        # R's robust error is of survival already, and the answer multiplied it by survival once more.
        ours = curve.se * curve.survival if robust else curve.se
        yield Quantity(f"weighted Kaplan–Meier, {key}", ours, r["km_weighted"][key], 1e-6)


def immortal_time(r: Any) -> Iterator[Quantity]:
    null = coverage(60, 1).filter(pl.col("coverage").is_null())["mean"]
    yield Quantity("effect of what does nothing, simulated", null, [0.0], 0.05)


FILES: dict[str, Callable[[Any], Iterator[Quantity]]] = {
    "01_kaplan_meier": kaplan_meier,
    "01b_reverse_km": follow_up,
    "02_logrank": logrank,
    "03_cox": cox_models,
    "04_aalen_johansen": aalen_johansen,
    "05_cuminc_gray": gray,
    "06_fine_gray": fine_gray,
    "07_rmst": rmst,
    "08_concordance": concordance,
    "09_timeROC": time_roc,
    "10_brier_auc_score": score,
    "11_mice_pool": mice,
    "12_optimism": optimism,
    "13_rcs": rcs,
    "14_firth": firth,
    "15_glmnet_cox": glmnet,
    "16_dca": dca,
    "17_calibration": calibration,
    "18_nomogram": points,
    "19_p_adjust": multiplicity,
    "20_table1_tests": table_one,
    "21_subgroup": subgroup,
    "22_time_varying_coef": over_time,
    "23_misc": others,
    "24_simulation_immortal_time": immortal_time,
}


def compared(name: str) -> list[tuple[str, str, float, float]]:
    """File, quantity, largest difference over all its data sets, tolerance: one row per quantity."""
    worst: dict[str, tuple[float, float]] = {}
    for one in FILES[name](answers(name)):
        ours, theirs = numbers(one.ours).ravel(), numbers(one.theirs).ravel()
        assert ours.shape == theirs.shape, (name, one.name, ours.shape, theirs.shape)
        both = np.isnan(ours) & np.isnan(theirs)
        away = np.where(both, 0.0, np.where(np.isnan(ours - theirs), np.inf, np.abs(ours - theirs)))
        worst[one.name] = max(worst.get(one.name, (0.0, one.tolerance)), (float(away.max(initial=0.0)), one.tolerance))
    return [(name, quantity, most, tolerance) for quantity, (most, tolerance) in worst.items()]
