"""From candidates to the cohort: one step of science, judged by a strict contract and by expectations.

What does not belong here: who is eligible (the study page) and how anything is computed (science).
"""

from collections.abc import Iterator

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, plain, table_entries
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.quality.expectations import ExpectationResult, expect, expectations_of
from aclf_pipeline.science.cohort import CohortTables, assemble

COHORT_TABLES = ("cohort", "eligibility", "attrition", "cohort_provenance")
CONTRACT = "contract"


def cohort_asset(house: House) -> dg.AssetsDefinition:
    """marts.cohort and its companions."""
    contracts = MARTS[house.settings.study]
    specs = [
        dg.AssetSpec(
            ["marts", name],
            deps=[["marts", "candidates"], ["intermediate", "facts"], ["rules", "definitions"]],
            group_name="marts",
            kinds={"python", "polars", "pandera"},
            owners=OWNERS["statistics"],
            description=contracts[name].__doc__,
        )
        for name in COHORT_TABLES
    ]
    checks = [
        dg.AssetCheckSpec(
            CONTRACT, asset=["marts", name], blocking=True, description=f"{name} keeps its strict contract"
        )
        for name in COHORT_TABLES
    ]
    checks += [
        dg.AssetCheckSpec(
            e.id, asset=["marts", e.table], blocking=e.severity == "block", description=f"{e.says}. {e.because}"
        )
        for e in expectations_of(house.settings.protocol, house.settings.study)
    ]

    @dg.multi_asset(name="cohort", specs=specs, check_specs=checks)
    def cohort(context: dg.AssetExecutionContext) -> Iterator[Yielded]:  # noqa: ARG001
        with house.open() as wh:
            made = assemble(wh.frame("select * from marts.candidates"), wh.frame("select * from intermediate.facts"),
                            house.protocol, house.as_of)  # fmt: skip
            problems = _problems(made, house.settings.study)
            yield from (_contract_result(name, found) for name, found in problems.items())
            if any(problems.values()):
                raise dg.Failure("The cohort breaks its contract: the last good one stays. See the failed checks.")
            for name in COHORT_TABLES:
                wh.write(f"marts.{name}", getattr(made, name))
        yield from _materialized(house, made)

    return cohort


def _problems(made: CohortTables, study: str) -> dict[str, list[str]]:
    return {name: check_table(getattr(made, name), MARTS[study][name]) for name in COHORT_TABLES}


def _contract_result(name: str, found: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=["marts", name],
        check_name=CONTRACT,
        passed=not found,
        description=f"{len(found)} problems" if found else "kept",
        metadata={"1_problems": dg.MetadataValue.md("\n".join(f"- {problem}" for problem in found) or "none")},
    )


def _materialized(house: House, made: CohortTables) -> Iterator[Yielded]:
    for name in COHORT_TABLES:
        frame = getattr(made, name)
        entries = table_entries(f"marts.{name}", frame.height, MARTS[house.settings.study][name])
        yield dg.MaterializeResult(key(f"marts.{name}"), metadata=entries)
    tables = {f"{name}": getattr(made, name) for name in COHORT_TABLES}
    for result in expect(tables, house.settings.protocol, house.settings.study):
        yield _expectation_result(result)


def _expectation_result(result: ExpectationResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=["marts", result.table],
        check_name=result.id,
        passed=bool(result.passed),
        severity=dg.AssetCheckSeverity.ERROR if result.severity == "block" else dg.AssetCheckSeverity.WARN,
        description=f"observed {plain(result.observed)}",
        metadata={"observed": plain(result.observed) if result.observed is not None else "nothing"},
    )
