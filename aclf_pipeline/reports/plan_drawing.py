"""The figures of one analysis: the one its kind always had, and those of models, diagnostics and performance.

What does not belong here: drawing itself (figures, forests, model_figures, performance_figures, nomogram_figure), and
the layout of a page (study).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from aclf_pipeline.protocol import Analysis, Study
from aclf_pipeline.reports import forests, model_figures, nomogram_figure, performance_figures, tables
from aclf_pipeline.reports.canvas import Figure
from aclf_pipeline.reports.drawing import Answer, draw, term_labels, variable_label

RATIOS = ("hr", "lower", "upper", "p")


def figures_of(spec: Analysis, result: Answer, study: Study, *, synthetic: bool, note: str = "") -> list[Figure]:
    """Every figure of one stanza, in order; the first has the stanza's id, the others begin with it and a hyphen."""
    if not result.table.height:
        return []
    drawer = _KINDS.get(spec.kind)
    if drawer is not None:
        return drawer(spec, result, study, {"synthetic": synthetic, "note": note})
    figure = draw(spec, result, study, synthetic=synthetic, note=note)
    return [] if figure is None else [figure]


Options = Mapping[str, Any]


def _forest(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    labels = term_labels(study, result.table["term"].to_list())
    return [forests.forest(result.table, figure_id=spec.id, title=spec.says, labels=labels, **options)]


def _pair(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    """Each factor alone, and all in one model."""
    counts = ("n", "events")
    alone = result.table.select("term", *RATIOS, *counts)
    every = result.table.select("term", *(pl.col(f"{name}_all").alias(name) for name in RATIOS), *counts)
    labels = term_labels(study, result.table["term"].to_list())
    return [forests.forest_pair(alone, every, figure_id=spec.id, title=spec.says, labels=labels, **options)]


def _subgroups(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    names = [name for name in result.table["subgroup"].unique(maintain_order=True) if name != "all"]
    labels = {name: variable_label(study, name) for name in names}
    return [forests.subgroup_forest(result.table, figure_id=spec.id, title=spec.says, labels=labels, **options)]


def _schoenfeld(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    if "residuals" not in result.more:
        return []
    tests = result.table.filter(pl.col("transform") == pl.col("transform").first()).select("term", "p")
    terms = result.more["residuals"]["term"].unique(maintain_order=True).to_list()
    return [
        model_figures.schoenfeld(
            result.more["residuals"], result.more["smooth"], tests, figure_id=spec.id, title=spec.says,
            labels=term_labels(study, terms), **options,
        )
    ]  # fmt: skip


def _splines(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    """One figure per factor that has a curve."""
    curves = result.more.get("curves", pl.DataFrame())
    tests = {row["covariate"]: row["p_nonlinear"] for row in result.table.iter_rows(named=True)}
    made: list[Figure] = []
    for (name,), part in curves.group_by("covariate", maintain_order=True) if curves.height else ():
        label = variable_label(study, str(name))
        made.append(
            model_figures.spline(
                part.select("value", "hr", "lower", "upper"), figure_id=spec.id if not made else f"{spec.id}-{name}",
                title=f"{spec.says} {label}", label=label, reference=float(part["reference"][0]),
                knots=result.more["knots"].filter(pl.col("covariate") == name)["knot"].to_list(),
                p_nonlinear=tests.get(str(name)), **options,
            )
        )  # fmt: skip
    return made


def _nomogram(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    if "points" not in result.more:
        return []
    points = result.more["points"]
    labels = {name: variable_label(study, name) for name in points["variable"].unique(maintain_order=True)}
    return [
        nomogram_figure.nomogram(
            points, result.more["total"], result.more["chances"], figure_id=spec.id, title=spec.says, labels=labels,
            outcome="chance of no event", **options,
        )
    ]  # fmt: skip


def _performance(spec: Analysis, result: Answer, study: Study, options: Options) -> list[Figure]:
    """Areas over the horizons, calibration of the model, and net benefit at the last horizon."""
    names = result.table["predictor"].unique(maintain_order=True).to_list()
    labels = {name: "Model" if name == "model" else variable_label(study, name) for name in names}
    areas = result.table.select(
        pl.col("predictor").alias("model"), "horizon", pl.col("auc").alias("estimate"),
        pl.col("auc_lower").alias("lower"), pl.col("auc_upper").alias("upper"),
    )  # fmt: skip
    made = [
        performance_figures.over_time(areas, figure_id=spec.id, title=spec.says, labels=labels, chance=0.5, **options)
    ]
    groups = result.more.get("groups", pl.DataFrame())
    if groups.height:
        made.append(
            performance_figures.calibration(
                groups, result.more["calibrated"], figure_id=f"{spec.id}-calibration",
                title="Calibration of the model's risk", **options,
            )
        )  # fmt: skip
    decision = result.more.get("decision", pl.DataFrame())
    if decision.height:
        last = decision.filter(pl.col("horizon") == pl.col("horizon").max())
        day = tables.count(last["horizon"][0])
        made.append(
            performance_figures.decision(
                last, figure_id=f"{spec.id}-decision", title=f"Net benefit at day {day}", labels=labels, **options
            )
        )
    return made


_KINDS: Mapping[str, Callable[[Analysis, Answer, Study, Options], list[Figure]]] = {
    "cox": _forest,
    "firth": _forest,
    "imputations": _forest,
    "univariable": _pair,
    "subgroups": _subgroups,
    "ph_diagnostics": _schoenfeld,
    "functional_form": _splines,
    "prediction": _nomogram,
    "performance": _performance,
}
