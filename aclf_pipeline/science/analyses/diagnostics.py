"""Diagnostics of a Cox model of the plan: proportional hazards, influence, functional form.

What does not belong here: estimators (proportional_hazards, cox_residuals, splines), and choosing a model by them.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from aclf_pipeline.protocol.plan import FunctionalForm, Influence, PhDiagnostics
from aclf_pipeline.science.analyses.given import DURATION, HAPPENED, KEY, AnalysisResult, Given, Row, keyed, ratio_rows
from aclf_pipeline.science.analyses.models import by_period, columns_of, fit_model
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.cox_residuals import dfbetas, martingale
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.proportional_hazards import proportional_hazards
from aclf_pipeline.science.schoenfeld import schoenfeld_curves
from aclf_pipeline.science.splines import fit_cox_with_splines, hazard_ratio_curve, rms_knots, spline_test

SCORE_TEST = "score test of proportional hazards (Grambsch & Therneau 1994)"
CURVE_POINTS = 41


def ph_diagnostics(spec: PhDiagnostics, given: Given) -> AnalysisResult:
    """The test on each time scale, and each covariate's hazard ratio in each period.

    Table: transform, term, statistic, df, p, n, events. periods: term, hr, lower, upper, p, n, events.
    residuals, smooth: scaled Schoenfeld residuals and a curve through them (see `schoenfeld.SchoenfeldCurves`).
    """
    model = given.model(spec)
    fitted = fit_model(model, given)
    counts = {"n": pl.lit(fitted.result.n, pl.Int64), "events": pl.lit(fitted.result.events, pl.Int64)}
    table = pl.concat(
        proportional_hazards(fitted.result.fit, transform).select(
            pl.lit(transform).alias("transform"), pl.all().exclude("df"), pl.col("df").cast(pl.Int64)
        )
        for transform in spec.transforms
    ).select("transform", "term", "statistic", "df", "p", **counts)
    rows: list[Row] = [
        {"key": f"zph_{row['transform']}:{row['term']}", "estimate": row["statistic"], "p": row["p"], "n": row["n"],
         "events": row["events"], "method": f"{SCORE_TEST}, {row['df']} df"}
        for row in table.iter_rows(named=True)
    ]  # fmt: skip
    more, remarks = {}, list[str]()
    splittable = [n for n in model.covariates
                  if fitted.rows.schema[n].is_numeric() or fitted.rows.schema[n] == pl.Boolean]  # fmt: skip
    try:
        periods = by_period(fitted.rows, model.covariates, model.strata, splittable, spec.split_at).coefficients
        more["periods"] = periods.select("term", "hr", "lower", "upper", "p", "n", "events")
        rows += ratio_rows(periods, "Cox, a coefficient for each period")
    except StatisticalProblem as problem:
        remarks.append(f"A ratio for each period cannot be given. {problem}.")
    try:
        curves = schoenfeld_curves(fitted.result.fit)
        more |= {"residuals": curves.residuals, "smooth": curves.smooth}
    except StatisticalProblem as problem:
        remarks.append(f"There is no figure of it. {problem}.")
    if fitted.changing:
        does = {"split": "gives a ratio for each period", "strata": "gives each value a baseline hazard", None: ""}
        remarks.append(
            f"The hazard ratio of {', '.join(fitted.changing)} changes over time."
            + (f" The plan's remedy for '{model.id}' {does[model.remedy]}." if model.remedy else "")
        )
    else:
        remarks.append("No covariate has a hazard ratio that changes over time at the level of the plan.")
    return AnalysisResult(table, keyed(given, spec, rows), more, tuple(remarks))


def influence(spec: Influence, given: Given) -> AnalysisResult:
    """Persons who move a coefficient most, and the model without those beyond the limit.

    Table: rank, candidate_id, term, dfbetas (change in standard errors), martingale, event_days, happened. without:
    term, hr, lower, upper, p, n, events of the model without them, hr_with of the model itself.
    """
    model = given.model(spec)
    fitted = fit_model(model, given)
    moved = dfbetas(fitted.result.fit)
    place = np.abs(moved).argmax(axis=1)
    worst = moved[np.arange(len(moved)), place]
    order = np.argsort(-np.abs(worst), kind="stable")[: spec.top]
    names = np.array(fitted.result.fit.names)
    table = fitted.rows[order.tolist()].select(
        pl.Series("rank", np.arange(1, len(order) + 1)),
        KEY,
        pl.Series("term", names[place[order]].tolist()),
        pl.Series("dfbetas", worst[order]),
        pl.Series("martingale", martingale(fitted.result.fit)[order]),
        DURATION,
        HAPPENED,
    )
    beyond = np.abs(worst) > spec.beyond
    counts: Row = {"n": fitted.result.n, "events": fitted.result.events}
    rows: list[Row] = [
        {"key": "beyond", "estimate": float(beyond.sum()), "method": f"|dfbeta| > {spec.beyond:g} SE", **counts},
        {"key": "largest", "estimate": float(np.abs(worst).max()), "method": "largest |dfbeta| in SE", **counts},
    ]
    for row in table.iter_rows(named=True):
        for name in ("dfbetas", "martingale"):
            rows.append({"key": f"{name}:{row['rank']}", "estimate": row[name], "method": f"{row['term']}", **counts})
    more, remarks = {}, [f"{int(beyond.sum())} of {len(moved)} change a coefficient by more than {spec.beyond:g} SE."]
    if beyond.any():
        try:
            again = cox(fitted.rows.filter(~pl.Series(beyond)), DURATION, HAPPENED, model.covariates,
                        strata=model.strata or None)  # fmt: skip
            more["without"] = again.coefficients.select("term", "hr", "lower", "upper", "p", "n", "events").join(
                fitted.result.coefficients.select("term", hr_with="hr"), on="term", how="left", maintain_order="left"
            )
            rows += ratio_rows(again.coefficients, "Cox without them", "hr_without")
        except StatisticalProblem as problem:
            remarks.append(f"Without them there is no model. {problem}.")
    return AnalysisResult(table, keyed(given, spec, rows), more, tuple(remarks))


def functional_form(spec: FunctionalForm, given: Given) -> AnalysisResult:
    """Tests of a straight line, and the curve of hazard ratios against the median, one covariate at a time.

    Each covariate is splined within the whole model. Table: covariate, statistic, df, p (whole), nonlinear,
    df_nonlinear, p_nonlinear, n, events, reason. curves: covariate, value, hr, lower, upper, reference.
    knots: covariate, knot.
    """
    model = given.model(spec)
    fitted = fit_model(model, given)
    names, design, _ = columns_of(fitted.rows, model.covariates)
    stop, event = fitted.rows[DURATION].cast(pl.Float64).to_numpy(), fitted.rows[HAPPENED].to_numpy()
    counts: Row = {"n": fitted.result.n, "events": fitted.result.events}
    lines: list[Row] = []
    curves, knots = [], []
    for name in spec.covariates:
        line: Row = {"covariate": name, **counts}
        try:
            if name not in names:
                raise StatisticalProblem(f"spline: '{name}' is no number of the model")
            values = design[:, names.index(name)]
            places = rms_knots(values, spec.knots)
            spline = fit_cox_with_splines(stop, event, design, names, {name: places})
        except StatisticalProblem as problem:
            lines.append(line | {"reason": str(problem)})
            continue
        knots += [(name, float(place)) for place in places]
        test, middle = spline_test(spline, name), float(np.median(values))
        lines.append(line | {
            "statistic": test.association.statistic, "df": test.association.df, "p": test.association.p,
            "nonlinear": test.nonlinearity.statistic, "df_nonlinear": test.nonlinearity.df,
            "p_nonlinear": test.nonlinearity.p,
        })  # fmt: skip
        low, high = np.quantile(values, [0.025, 0.975])
        at = np.linspace(low, high, CURVE_POINTS)
        curve = hazard_ratio_curve(spline, name, at, middle)
        curves.append(curve.select(pl.lit(name).alias("covariate"), "value", "hr", "lower", "upper",
                                   pl.lit(middle).alias("reference")))  # fmt: skip
    schema = {"covariate": pl.String, "statistic": pl.Float64, "df": pl.Int64, "p": pl.Float64, "nonlinear": pl.Float64,
              "df_nonlinear": pl.Int64, "p_nonlinear": pl.Float64, "n": pl.Int64, "events": pl.Int64,
              "reason": pl.String}  # fmt: skip
    table = pl.DataFrame([{name: line.get(name) for name in schema} for line in lines], schema=schema)
    rows: list[Row] = [
        {"key": f"nonlinear:{row['covariate']}", "estimate": row["nonlinear"], "p": row["p_nonlinear"], **counts,
         "method": f"Wald test of the nonlinear terms, {row['df_nonlinear']} df, {spec.knots} knots"}
        for row in table.drop_nulls("nonlinear").iter_rows(named=True)
    ]  # fmt: skip
    rows += [
        {"key": f"association:{row['covariate']}", "estimate": row["statistic"], "p": row["p"], **counts,
         "method": f"Wald test of all terms, {row['df']} df"}
        for row in table.drop_nulls("statistic").iter_rows(named=True)
    ]  # fmt: skip
    at_knots = pl.DataFrame(knots, schema={"covariate": pl.String, "knot": pl.Float64}, orient="row")
    if not rows:
        raise StatisticalProblem("; ".join(str(line["reason"]) for line in lines))
    return AnalysisResult(table, keyed(given, spec, rows), {"curves": pl.concat(curves), "knots": at_knots})
