"""From candidates to the cohort: one step of science, judged by a strict contract and by expectations.

The step judges first and writes last: when something that blocks fails, the last good cohort stays.

What does not belong here: who is eligible (the study page) and how anything is computed (science).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import NoReturn

import dagster as dg
import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, table_entries
from aclf_pipeline.assets.pages import EXPECTATIONS, finish_held_back
from aclf_pipeline.assets.populations import population_result, population_specs
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.quality.data_docs import DataDocs
from aclf_pipeline.quality.expectations import expect, expectations_of, volume_expectations_of
from aclf_pipeline.quality.volume import keep_volume, volume, with_change, yearly
from aclf_pipeline.science.cohort import CohortTables, assemble
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.release import last_released

COHORT_TABLES = ("cohort", "eligibility", "attrition", "cohort_provenance")
CONTRACT = "contract"
DOCS = "data_docs"
"""The folder of Data Docs among the pages."""
INPUTS = ("marts.candidates", "intermediate.facts")


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

    @dg.multi_asset(name="cohort", specs=specs, check_specs=_check_specs(house))
    def cohort(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        with house.open() as wh:
            candidates, facts = (wh.frame(f"select * from {name}") for name in INPUTS)
            made = assemble(candidates, facts, house.protocol, house.as_of)
            broken = {name: check_table(getattr(made, name), contracts[name]) for name in COHORT_TABLES}
            judged = [*_contract_results(broken), *_population_results(house, wh, made, context.run.run_id)]
            if any(not r.passed and r.severity == dg.AssetCheckSeverity.ERROR for r in judged):
                yield from judged
                _hold_back(house, wh, context.run.run_id, broken)
            yield from _written(house, wh, made)
            yield from judged

    return cohort


def _hold_back(house: House, wh: Warehouse, refresh_id: str, broken: Mapping[str, list[str]]) -> NoReturn:
    """The last good cohort stays; the validation page says why nothing was published."""
    page = finish_held_back(house, wh, refresh_id, broken)
    raise dg.Failure(f"The cohort fails a blocking check: the last good one stays. See the failed checks and {page}")


def _check_specs(house: House) -> list[dg.AssetCheckSpec]:
    folder, study = house.settings.protocol, house.settings.study
    contracts = [
        dg.AssetCheckSpec(
            CONTRACT, asset=["marts", name], blocking=True, description=f"{name} keeps its strict contract"
        )
        for name in COHORT_TABLES
    ]
    return [
        *contracts,
        *population_specs([*volume_expectations_of(folder, study), *expectations_of(folder, study)]),
    ]


def _contract_results(broken: Mapping[str, list[str]]) -> Iterator[dg.AssetCheckResult]:
    for name, found in broken.items():
        yield dg.AssetCheckResult(
            asset_key=["marts", name],
            check_name=CONTRACT,
            passed=not found,
            description=f"{len(found)} problems" if found else "kept",
            metadata={"1_problems": dg.MetadataValue.md("\n".join(f"- {problem}" for problem in found) or "none")},
        )


def _population_results(
    house: House, wh: Warehouse, made: CohortTables, refresh_id: str
) -> Iterator[dg.AssetCheckResult]:
    """Measure every expectation, keep the results for the pages and Data Docs, and report them."""
    counts, settings = volume(wh), house.settings
    keep_volume(wh, counts, refresh_id)
    tables = {name: getattr(made, name) for name in COHORT_TABLES}
    results = expect(
        {"volume": with_change(wh, counts), "years": yearly(wh), **tables},
        settings.protocol,
        settings.study,
        released=last_released(settings.releases, COHORT_TABLES),
        docs=data_docs(house, refresh_id),
    )
    wh.write(EXPECTATIONS, pl.DataFrame([asdict(result) for result in results], infer_schema_length=None))
    yield from (population_result(result) for result in results)


def data_docs(house: House, refresh_id: str) -> DataDocs:
    """Where this study's Data Docs are kept: the store beside the warehouse, the site among the pages."""
    settings = house.settings
    mark = ", SYNTHETIC DATA" if settings.is_synthetic else ""
    return DataDocs(
        workshop=settings.root / "great_expectations" / settings.study,
        site=settings.reports / DOCS,
        title=f"{settings.study}{mark}",
        run_name=refresh_id,
        run_time=datetime.now(UTC),
    )


def _written(house: House, wh: Warehouse, made: CohortTables) -> Iterator[dg.MaterializeResult]:
    frames = {name: getattr(made, name) for name in COHORT_TABLES}
    with wh.transaction():
        for name, frame in frames.items():
            wh.write(f"marts.{name}", frame)
    for name, frame in frames.items():
        entries = table_entries(f"marts.{name}", frame.height, MARTS[house.settings.study][name])
        yield dg.MaterializeResult(key(f"marts.{name}"), metadata=entries)
