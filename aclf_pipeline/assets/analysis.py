"""One asset per stanza of the analysis plan: its tidy table, its keyed results, its figures with their data.

Guards look first and last: an analysis that one of them blocks leaves no number, and the study page says why.

What does not belong here: estimators and guards (science) and drawing (reports).
"""

from typing import Any

import dagster as dg
import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, table
from aclf_pipeline.protocol.plan import Analysis, OfModel
from aclf_pipeline.reports.plan_drawing import figures_of
from aclf_pipeline.science import guards
from aclf_pipeline.science.analyses import AnalysisResult, Given, run_analysis, with_covariates
from aclf_pipeline.science.guards import Verdict
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.warehouse.analysis_tables import COHORT, write_analysis, write_reason
from aclf_pipeline.warehouse.connection import Warehouse

SHOWN = ["key", "estimate", "lower", "upper", "p", "n", "events"]
GUARDS = "guards"
"""One check for all guards: a check costs CPU in every refresh, and its page lists each verdict."""
WITHHELD = "Withheld by a guard: "


def analysis_assets(house: House) -> list[dg.AssetsDefinition]:
    """`analysis/<id>` for every stanza, in the order of the page."""
    return [_analysis_asset(house, spec) for spec in house.protocol.analysis]


def _analysis_asset(house: House, spec: Analysis) -> dg.AssetsDefinition:
    asset = ["analysis", spec.id]

    @dg.asset(
        key=asset,
        deps=[["marts", "cohort"], *(["marts", name] for name in spec.reads), *_of(spec)],
        group_name="analysis",
        kinds={"python"},
        owners=OWNERS["statistics"],
        description=f"{spec.says}\n\n**Why:** {spec.because}",
        check_specs=[
            dg.AssetCheckSpec(
                GUARDS, asset=asset, blocking=True, description="The data can answer this, and nothing shown misleads"
            )
        ],
    )
    def analysis(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # noqa: ARG001
        with house.open() as wh:
            given = _given(house, spec, wh)
            verdicts, result, reason = _judged(spec, given)
            if result is None or reason is not None:
                write_reason(wh, spec.id, reason or "")
                return _without(verdicts, reason or "")
            write_analysis(wh, spec.id, result.results, {spec.id: result.table, **result.more}, result.remarks)
        return _estimated(house, spec, result, verdicts)

    return analysis


def _of(spec: Analysis) -> list[list[str]]:
    """The asset of the model a stanza is of."""
    return [["analysis", spec.of]] if isinstance(spec, OfModel) else []


def _given(house: House, spec: Analysis, wh: Warehouse) -> Given:
    """The cohort with the study's covariates, and the further tables the stanza reads, where they are."""
    there = wh.tables()
    tables = {name: wh.frame(f"select * from marts.{name}") for name in spec.reads if f"marts.{name}" in there}
    study = house.protocol.study
    return Given(with_covariates(wh.frame(COHORT), study), study, house.protocol.analysis, tables)


def _judged(spec: Analysis, given: Given) -> tuple[tuple[Verdict, ...], AnalysisResult | None, str | None]:
    """What guards found, the result if there is one, and why nothing is shown if so."""
    verdicts = guards.before(spec, given)
    if reason := _blocked(verdicts):
        return verdicts, None, reason
    try:
        result = run_analysis(spec, given.cohort, given.study, plan=given.plan, tables=given.tables)
    except StatisticalProblem as problem:
        return verdicts, None, str(problem)
    verdicts = (*verdicts, *guards.after(spec, result))
    return verdicts, result, _blocked(verdicts)


def _blocked(verdicts: tuple[Verdict, ...]) -> str | None:
    """Why nothing is shown: every blocking verdict."""
    found = [str(verdict) for verdict in verdicts if verdict.blocks]
    return WITHHELD + " ".join(found) if found else None


def _without(verdicts: tuple[Verdict, ...], reason: str) -> dg.MaterializeResult:
    """An analysis the data cannot answer, or a guard blocks, leaves no number behind, and says why."""
    return dg.MaterializeResult(metadata={"1_reason": reason}, check_results=[_guard_result(verdicts, reason)])


def _guard_result(verdicts: tuple[Verdict, ...], reason: str | None = None) -> dg.AssetCheckResult:
    """The guards' check: it fails where nothing is shown. The page is made all the same, since it says why."""
    blocking = dict.fromkeys(verdict.guard for verdict in verdicts if verdict.blocks)
    lines = [f"- **{verdict.guard}**{'' if verdict.blocks else ' (acted)'}: {verdict}" for verdict in verdicts]
    return dg.AssetCheckResult(
        passed=reason is None,
        check_name=GUARDS,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(blocking) or reason or "silent",
        metadata={"1_verdicts": dg.MetadataValue.md("\n".join(lines) or "none")},
    )


def _estimated(
    house: House, spec: Analysis, result: AnalysisResult, verdicts: tuple[Verdict, ...]
) -> dg.MaterializeResult:
    figures = figures_of(spec, result, house.protocol.study, synthetic=house.settings.is_synthetic)
    folder = house.settings.reports / "figures"
    files = [path for figure in figures for path in figure.save(folder, figure.id)]
    metadata: dict[str, Any] = {
        "1_results": table(_head(result.results), SHOWN),
        "2_remarks": dg.MetadataValue.md("\n".join(f"- {remark}" for remark in result.remarks) or "none"),
        "dagster/row_count": result.table.height,
        **{
            f"figure_{path.name.removeprefix(spec.id).replace('.', '_').strip('_-')}": dg.MetadataValue.path(path)
            for path in files
        },
    }
    return dg.MaterializeResult(metadata=metadata, check_results=[_guard_result(verdicts)])


def _head(results: pl.DataFrame) -> list[dict[str, Any]]:
    """The first results, for Dagster's page."""
    return results.head(25).to_dicts()
