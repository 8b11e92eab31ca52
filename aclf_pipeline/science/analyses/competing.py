"""Models of competing events: cause-specific hazards of each, the subdistribution hazard, and Gray's test.

Both are given because they answer different questions: a cause-specific hazard ratio is of those still event-free, a
subdistribution hazard ratio of the share that will have had the event. Neither is an effect of a treatment.

What does not belong here: estimators (cox, fine_gray, gray) and curves (curves).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import norm

from aclf_pipeline.protocol.plan import Competing
from aclf_pipeline.science.analyses.given import (
    DURATION,
    AnalysisResult,
    Given,
    Row,
    codes,
    complete,
    keyed,
    lacking,
    ratio_rows,
)
from aclf_pipeline.science.analyses.models import columns_of
from aclf_pipeline.science.cox import FEW_EVENTS_PER_DF, cox
from aclf_pipeline.science.fine_gray import FineGrayFit, fit_fine_gray
from aclf_pipeline.science.gray import gray_test
from aclf_pipeline.science.problems import StatisticalProblem

CAUSE = "_cause"
SUBDISTRIBUTION = "Fine–Gray, crr's variance"


def competing_models(spec: Competing, given: Given) -> AnalysisResult:
    """Hazard ratios of the model's covariates for the event and each competing one.

    Table: state, model ('cause-specific' or 'subdistribution'), term, hr, lower, upper, p, n, events. gray: group,
    state, statistic, df, p, n, events. An event with fewer than ten per covariate has no model, and says so.
    """
    model, endpoint = given.model(spec), given.endpoint(spec)
    frame = given.counted(model)
    rows = complete(frame, (*model.covariates, *model.strata))
    time, code = codes(rows, endpoint)
    names, design, _ = columns_of(rows, model.covariates)
    others: dict[str, int] = dict.fromkeys(endpoint.competing, 2)
    states = {endpoint.event: 1, **others}
    parts, remarks = [], list[str]()
    for state, cause in states.items():
        events = int((code == cause).sum())
        if cause != 1 and events < FEW_EVENTS_PER_DF * len(names):
            remarks.append(f"{state}: {events} events for {len(names)} coefficients are too few for a model of its own;"
                           " its cumulative incidence is given instead.")  # fmt: skip
            continue
        marked = rows.with_columns(pl.Series(CAUSE, code == cause))
        cause_specific = cox(marked, DURATION, CAUSE, model.covariates, strata=model.strata or None).coefficients
        sub = subdistribution_table(fit_fine_gray(time, code, design, names, cause=cause))
        columns = ("term", "hr", "lower", "upper", "p", "n", "events")
        parts += [
            cause_specific.select(pl.lit(state).alias("state"), pl.lit("cause-specific").alias("model"), *columns),
            sub.select(pl.lit(state).alias("state"), pl.lit("subdistribution").alias("model"), *columns),
        ]
    table = pl.concat(parts)
    results: list[Row] = []
    for (state, kind), part in table.group_by("state", "model", maintain_order=True):
        method = "Cox, Efron ties" if kind == "cause-specific" else SUBDISTRIBUTION
        results += ratio_rows(part, method, f"{'hr' if kind == 'cause-specific' else 'shr'}_{state}")
    tests = _gray(spec, given, states, remarks)
    results += [
        {"key": f"gray_{row['state']}:{row['group']}", "estimate": row["statistic"], "p": row["p"], "n": row["n"],
         "events": row["events"], "method": f"Gray's test, {row['df']} df"}
        for row in tests.iter_rows(named=True)
    ]  # fmt: skip
    said = ("A subdistribution hazard ratio tells who will have had the event, a cause-specific one who has it next; "
            "both are prognostic.", *remarks, *lacking(frame.height, rows.height))  # fmt: skip
    return AnalysisResult(table, keyed(given, spec, results), {"gray": tests}, said)


def subdistribution_table(fit: FineGrayFit) -> pl.DataFrame:
    """term, hr, lower, upper (95 %, Wald), p, n, events of a Fine–Gray fit."""
    width = float(norm.ppf(0.975)) * fit.se
    return pl.DataFrame(
        {
            "term": list(fit.names),
            "hr": np.exp(fit.coef),
            "lower": np.exp(fit.coef - width),
            "upper": np.exp(fit.coef + width),
            "p": 2 * norm.sf(np.abs(fit.coef / fit.se)),
            "n": [fit.n] * len(fit.names),
            "events": [fit.events] * len(fit.names),
        }
    )


def _gray(spec: Competing, given: Given, states: dict[str, int], remarks: list[str]) -> pl.DataFrame:
    """Gray's test of each group and state; one that cannot be done is a remark."""
    frame, endpoint = given.counted(given.model(spec)), given.endpoint(spec)
    lines = []
    for group in spec.groups:
        rows = complete(frame, (group,))
        time, code = codes(rows, endpoint)
        for state, cause in states.items():
            try:
                test = gray_test(time, code, rows[group].cast(pl.String).to_list(), cause=cause)
            except StatisticalProblem as problem:
                remarks.append(f"{problem}.")
                continue
            lines.append((group, state, test.statistic, test.df, test.p, test.n, test.events))
    schema = {"group": pl.String, "state": pl.String, "statistic": pl.Float64, "df": pl.Int64, "p": pl.Float64,
              "n": pl.Int64, "events": pl.Int64}  # fmt: skip
    return pl.DataFrame(lines, schema=schema, orient="row")
