"""Subgroups of the plan: does a hazard ratio differ between groups? One test each, adjusted over all of them.

What does not belong here: the estimator (subgroups), and a choice of subgroups.
"""

from __future__ import annotations

from aclf_pipeline.protocol.plan import Subgroups
from aclf_pipeline.science.analyses.given import (
    DURATION,
    HAPPENED,
    AnalysisResult,
    Given,
    Row,
    cause_specific,
    keyed,
)
from aclf_pipeline.science.subgroups import subgroup_effects


def subgroups(spec: Subgroups, given: Given) -> AnalysisResult:
    """Hazard ratio of the exposure in each level of each group, and the test of interaction.

    Table: as `subgroups.subgroup_effects`.
    """
    model = given.model(spec)
    frame = given.counted(model)
    others = [name for name in model.covariates if name != spec.exposure]
    table = subgroup_effects(
        frame, DURATION, HAPPENED, spec.exposure, spec.groups, covariates=others, strata=model.strata or None,
        fewest_events=spec.fewest_events,
    )  # fmt: skip
    rows: list[Row] = [
        {"key": f"hr:{spec.exposure}:{row['subgroup']}={row['level']}", "estimate": row["hr"], "lower": row["lower"],
         "upper": row["upper"], "n": row["n"], "events": row["events"], "method": "Cox within the level"}
        for row in table.drop_nulls("hr").iter_rows(named=True)
    ]  # fmt: skip
    tested = table.drop_nulls("p_interaction").unique("subgroup", keep="first", maintain_order=True)
    rows += [
        {"key": f"interaction:{row['subgroup']}", "estimate": row["statistic"], "p": row["p_interaction"],
         "method": f"likelihood ratio test of interaction, {row['df']} df"}
        for row in tested.iter_rows(named=True)
    ]  # fmt: skip
    rows += [
        {"key": f"interaction_holm:{row['subgroup']}", "p": row["p_holm"], "method": "Holm over the subgroups"}
        for row in tested.iter_rows(named=True)
    ]
    said = "A subgroup differs only by the test of interaction; a ratio within a level is for display and has no p."
    return AnalysisResult(table, keyed(given, spec, rows), {}, (*cause_specific(given.endpoint(spec)), said))
