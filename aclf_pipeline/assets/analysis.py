"""One asset per stanza of the analysis plan: its tidy table, its keyed results, its figures with their data.

What does not belong here: estimators (science) and drawing (reports).
"""

from typing import Any

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, table
from aclf_pipeline.protocol.study import Analysis
from aclf_pipeline.reports.drawing import draw
from aclf_pipeline.science.analyses import AnalysisResult, run_analysis
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.warehouse.analysis_tables import COHORT, write_analysis, write_reason

SHOWN = ["key", "estimate", "lower", "upper", "p", "n", "events"]


def analysis_assets(house: House) -> list[dg.AssetsDefinition]:
    """`analysis/<id>` for every stanza, in the order of the page."""
    return [_analysis_asset(house, spec) for spec in house.protocol.analysis]


def _analysis_asset(house: House, spec: Analysis) -> dg.AssetsDefinition:
    @dg.asset(
        key=["analysis", spec.id],
        deps=[["marts", "cohort"]],
        group_name="analysis",
        kinds={"python", "lifelines"},
        owners=OWNERS["statistics"],
        description=f"{spec.says}\n\n**Why:** {spec.because}",
        check_specs=[
            dg.AssetCheckSpec("estimable", asset=["analysis", spec.id], description="The data can answer this")
        ],
    )
    def analysis(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # noqa: ARG001
        with house.open() as wh:
            cohort = wh.frame(COHORT)
            try:
                result = run_analysis(spec, cohort, house.protocol.study)
            except StatisticalProblem as problem:
                write_reason(wh, spec.id, str(problem))
                return _not_estimable(str(problem))
            write_analysis(wh, spec.id, result.results, {spec.id: result.table, **result.more}, result.remarks)
        return _estimated(house, spec, result)

    return analysis


def _not_estimable(reason: str) -> dg.MaterializeResult:
    """An analysis the data cannot answer leaves no number behind, and says why."""
    check = dg.AssetCheckResult(
        passed=False, check_name="estimable", severity=dg.AssetCheckSeverity.WARN, description=reason
    )
    return dg.MaterializeResult(metadata={"1_reason": reason}, check_results=[check])


def _estimated(house: House, spec: Analysis, result: AnalysisResult) -> dg.MaterializeResult:
    figure = draw(spec, result, house.protocol.study, synthetic=house.settings.is_synthetic)
    files = figure.save(house.settings.reports / "figures", spec.id) if figure else []
    metadata: dict[str, Any] = {
        "1_results": table(result.results.head(25).to_dicts(), SHOWN),
        "2_remarks": dg.MetadataValue.md("\n".join(f"- {remark}" for remark in result.remarks) or "none"),
        "dagster/row_count": result.table.height,
        **{f"figure_{path.suffix[1:]}": dg.MetadataValue.path(path) for path in files},
    }
    check = dg.AssetCheckResult(passed=True, check_name="estimable", description=f"{result.results.height} results")
    return dg.MaterializeResult(metadata=metadata, check_results=[check])
