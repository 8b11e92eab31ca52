"""Every figure drawn from public data by our own estimators, at any width and with labels of any length."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.reports import figures, flow, forests, model_figures, nomogram_figure, performance_figures
from aclf_pipeline.reports.canvas import Figure
from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.calibration import calibrate
from aclf_pipeline.science.competing_risks import cumulative_incidence
from aclf_pipeline.science.cox import CoxResult, cox
from aclf_pipeline.science.decision_curve import decision_curve
from aclf_pipeline.science.descriptive import table_one
from aclf_pipeline.science.nomogram import level_axis, nomogram, number_axis
from aclf_pipeline.science.proportional_hazards import proportional_hazards
from aclf_pipeline.science.schoenfeld import schoenfeld_curves
from aclf_pipeline.science.splines import fit_cox_with_splines, hazard_ratio_curve, rms_knots, spline_test
from aclf_pipeline.science.subgroups import subgroup_effects
from aclf_pipeline.science.survival import kaplan_meier, risk_table
from aclf_pipeline.science.survival_performance import roc_curve, time_dependent_auc
from aclf_pipeline_tests.reports import sample

TERMS = ["log_bili", "albumin", "log_protime", "age", "edema"]
DAYS = (365, 1095, 1825, 2555)
SHORT = {"log_bili": "Bilirubin, log mg/dL", "albumin": "Albumin, g/dL", "log_protime": "Prothrombin time, log s",
         "age": "Age, years", "edema": "Oedema", "sex_f": "Women"}  # fmt: skip
LONG = {
    "log_bili": "Natural logarithm of total bilirubin in serum at the second infusion, mg/dL 总胆红素（第二次输注）",
    "albumin": "Albumin in serum, grams per decilitre, nearest value within the seven days before time zero",
    "log_protime": "Pneumonoultramicroscopicsilicovolcanoconiosisprothrombintimelogarithmseconds",
    "age": "Age at time zero in completed years",
    "edema": "肝硬化伴水肿或腹水需要利尿剂治疗的患者",
    "sex_f": "Women and girls of any age as registered at the first admission",
}


@cache
def pbc() -> pl.DataFrame:
    """The primary biliary cirrhosis trial, transplant-free survival and events by name."""
    events = {0: "censored", 1: "death", 2: "transplant"}
    named = pl.col("etype").replace_strict(events, return_dtype=pl.String)
    sex = pl.when(pl.col("sex_f") == 1).then(pl.lit("women")).otherwise(pl.lit("men"))
    return load_reference()[0]["pbc"].with_columns(event=named, sex=sex, old=pl.col("age") >= 55)


@cache
def model() -> CoxResult:
    return cox(pbc(), "time", "tfs", TERMS)


@cache
def alone() -> pl.DataFrame:
    return pl.concat([cox(pbc(), "time", "tfs", [term]).coefficients for term in TERMS])


@cache
def risks() -> np.ndarray:
    fit = model().fit
    return 1 - cox_curves.survival(fit, fit.data.design, np.array(DAYS, dtype=float)).survival


def km(labels: dict[str, str], **options: Any) -> Figure:
    groups = {"men": "Men", "women": labels["sex_f"]}
    curve = kaplan_meier(pbc(), duration="time", event="tfs", group="sex")
    risk = risk_table(pbc(), duration="time", event="tfs", at=[0, *range(500, 4501, 500)], group="sex")
    return figures.km(curve, title="Transplant-free survival", risk=risk, labels=groups, outcome="death or transplant",
                      since="registration", **options)  # fmt: skip


def incidence(labels: dict[str, str], **options: Any) -> Figure:
    frame = pbc().with_columns(group=pl.lit("all"))
    risk = risk_table(frame, duration="time", event="tfs", at=[0, 1000, 2000, 3000, 4000])
    return figures.cumulative_incidence(
        cumulative_incidence(frame, duration="time", event="event"), title="Death and transplant", risk=risk, **options
    )


def forest(labels: dict[str, str], **options: Any) -> Figure:
    return forests.forest(model().coefficients, title="Predictors", labels=labels, **options)


def forest_pair(labels: dict[str, str], **options: Any) -> Figure:
    missing = alone().with_columns(
        pl.when(pl.col("term") == "edema").then(None).otherwise(pl.col(name)).alias(name)
        for name in ("hr", "lower", "upper", "p")
    )
    return forests.forest_pair(missing, model().coefficients, title="Predictors", labels=labels, **options)


def subgroups(labels: dict[str, str], **options: Any) -> Figure:
    effects = subgroup_effects(pbc(), "time", "tfs", "log_bili", ["sex", "old", "edema"], covariates=["age"])
    names = {"sex": labels["sex_f"], "old": "55 years or older", "edema": labels["edema"]}
    return forests.subgroup_forest(effects, title="Bilirubin in subgroups", labels=names, **options)


def schoenfeld(labels: dict[str, str], **options: Any) -> Figure:
    fit = model().fit
    curves = schoenfeld_curves(fit)
    constants = dict(zip(fit.names, fit.coef.tolist(), strict=True))
    return model_figures.schoenfeld(curves.residuals, curves.smooth, proportional_hazards(fit), labels=labels,
                                    title="Do coefficients change?", constants=constants, **options)  # fmt: skip


def spline(labels: dict[str, str], **options: Any) -> Figure:
    frame, knots = pbc(), rms_knots(pbc()["log_bili"], 4)
    design = frame.select(TERMS).to_numpy().astype(float)
    fitted = fit_cox_with_splines(
        frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1, design, TERMS, {"log_bili": knots}
    )
    middle = float(frame["log_bili"].median() or 0)  # type: ignore[arg-type]
    curve = hazard_ratio_curve(fitted, "log_bili", np.linspace(-1.2, 3.3, 80), middle)
    return model_figures.spline(curve, title="Bilirubin", label=labels["log_bili"], reference=middle,
                                knots=knots.tolist(), observed=frame["log_bili"].to_list(),
                                p_nonlinear=spline_test(fitted, "log_bili").nonlinearity.p, **options)  # fmt: skip


def balance(labels: dict[str, str], **options: Any) -> Figure:
    table = table_one(pbc().with_columns(pl.col("edema").cast(pl.Float64)), TERMS, by="sex")
    before = table.filter(pl.col("group") == "men").select("variable", "smd")
    both = pl.concat([before.with_columns(set=pl.lit("before weighting")),
                      before.with_columns(pl.col("smd") * 0.3, set=pl.lit("after weighting"))])  # fmt: skip
    return model_figures.balance(both, title="Men and women", labels=labels, **options)


def calibration(labels: dict[str, str], **options: Any) -> Figure:
    groups, curves = [], []
    for k, day in enumerate(DAYS[:3]):
        found = calibrate(pbc()["time"], pbc()["tfs"], risks()[:, k], day)
        panel = pl.lit(f"{day} days, {labels['age']}").alias("panel")
        groups.append(found.groups.with_columns(panel))
        curves.append(pl.DataFrame({"predicted": risks()[:, k], "calibrated": found.calibrated}).with_columns(panel))
    return performance_figures.calibration(pl.concat(groups), pl.concat(curves), title="Calibration", **options)


def roc(labels: dict[str, str], **options: Any) -> Figure:
    curves, areas = [], []
    for name, marker in (("Model", risks()[:, 1]), ("bilirubin", pbc()["log_bili"].to_numpy())):
        curves.append(roc_curve(pbc()["time"], pbc()["tfs"], marker, 1095).with_columns(series=pl.lit(name)))
        areas.append(time_dependent_auc(pbc()["time"], pbc()["tfs"], marker, [1095]).with_columns(series=pl.lit(name)))
    return performance_figures.roc(pl.concat(curves), pl.concat(areas), title="Risk by day 1,095",
                                   labels={"bilirubin": labels["log_bili"]}, **options)  # fmt: skip


def decision(labels: dict[str, str], **options: Any) -> Figure:
    curve = decision_curve(pbc()["time"], pbc()["tfs"], {"model": risks()[:, 1]}, 1095, np.arange(0.02, 0.7, 0.02))
    return performance_figures.decision(curve, title="By day 1,095", labels={"model": labels["albumin"]}, **options)


def over_time(labels: dict[str, str], **options: Any) -> Figure:
    parts = []
    for name, marker in (("Model", risks()), ("bili", pbc()["log_bili"].to_numpy()), ("age", pbc()["age"].to_numpy())):
        found = time_dependent_auc(pbc()["time"], pbc()["tfs"], marker, DAYS)
        parts.append(found.with_columns(model=pl.lit(name)).rename({"auc": "estimate"}))
    return performance_figures.over_time(pl.concat(parts), title="Discrimination", chance=0.5,
                                         labels=labels | {"bili": labels["log_bili"]}, **options)  # fmt: skip


def points(labels: dict[str, str], **options: Any) -> Figure:
    frame = pbc().with_columns(
        grade=pl.col("edema").replace_strict({0.0: "none", 0.5: "under diuretics", 1.0: "despite them"})
    )
    names = ["log_bili", "albumin", "log_protime", "age"]
    dummies = frame.select(*names, some=(pl.col("grade") == "under diuretics").cast(pl.Float64),
                           much=(pl.col("grade") == "despite them").cast(pl.Float64), time="time",
                           tfs="tfs")  # fmt: skip
    fit = cox(dummies, "time", "tfs", [*names, "some", "much"]).fit
    axes = {name: number_axis(fit, name) for name in names}
    axes["edema"] = level_axis(fit, "none", {"under diuretics": "some", "despite them": "much"})
    found = nomogram(fit, [365, 1095, 1825], axes=axes)
    return nomogram_figure.nomogram(found.points, found.total, found.survival, title="Nomogram", labels=labels,
                                    outcome="transplant-free survival", **options)  # fmt: skip


def flow_chart(labels: dict[str, str], **options: Any) -> Figure:
    start = f"Candidates: {labels['sex_f']}"
    return flow.flow_chart(sample.attrition(), events=("Death", 143), start=start, **options)


GALLERY: dict[str, Callable[..., Figure]] = {
    "flow": flow_chart,
    "km": km,
    "incidence": incidence,
    "forest_pair": forest_pair,
    "forest": forest,
    "subgroups": subgroups,
    "schoenfeld": schoenfeld,
    "spline": spline,
    "balance": balance,
    "calibration": calibration,
    "roc": roc,
    "decision": decision,
    "over_time": over_time,
    "nomogram": points,
}
