"""How ill the population is: overlap of the definitions, organs measured and failing, grades; and its sections.

What does not belong here: counting (science), the look of the sections (reports).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, table_entries
from aclf_pipeline.contracts.severity import SEVERITY
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.reports.page import Section
from aclf_pipeline.reports.severity import severity_sections
from aclf_pipeline.science.check_values import check_values
from aclf_pipeline.science.cohort import organ_failure_cutoffs, score_factors, variable_units
from aclf_pipeline.science.severity import definition_overlap, organ_failures
from aclf_pipeline.warehouse.connection import Warehouse

CONTRACTS = "contracts_of_severity"
"""One check for the contracts of all tables of this step."""
_FIRST = ["marts", next(iter(SEVERITY))]
_READ = ("marts.candidates", "marts.eligibility", "intermediate.aclf_evidence", "rules.definitions")
_MEMBERS = {
    "cirrhosis": "select candidate_id from intermediate.aclf_evidence where cirrhosis",
    "cohort": "select candidate_id from marts.eligibility where eligible",
}


def severity_asset(house: House) -> dg.AssetsDefinition:
    """marts.definition_overlap, marts.organ_failures and marts.grade_bounds."""
    specs = [
        dg.AssetSpec(
            ["marts", name],
            deps=[key(dep) for dep in _READ],
            group_name="marts",
            kinds={"python", "polars"},
            owners=OWNERS["statistics"],
            description=contract.__doc__,
        )
        for name, contract in SEVERITY.items()
    ]
    check = dg.AssetCheckSpec(
        CONTRACTS, asset=_FIRST, blocking=True, description="Overlap, organs and grades keep their strict contracts"
    )

    @dg.multi_asset(name="severity", specs=specs, check_specs=[check])
    def severity(context: dg.AssetExecutionContext) -> Iterator[Yielded]:  # noqa: ARG001
        with house.open() as wh:
            made = severity_tables(house, wh)
            told = [f"- {name}: {text}" for name in made for text in check_table(made[name], SEVERITY[name])]
            with wh.transaction():
                for name, frame in made.items():
                    wh.write(f"marts.{name}", frame)
        for name, frame in made.items():
            entries = table_entries(f"marts.{name}", frame.height, SEVERITY[name])
            yield dg.MaterializeResult(key(f"marts.{name}"), metadata=entries)
        yield _contract_result(told)

    return severity


def _contract_result(told: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=_FIRST,
        check_name=CONTRACTS,
        passed=not told,
        description=f"{len(told)} problems" if told else "kept",
        metadata={"1_problems": dg.MetadataValue.md("\n".join(told) or "none")},
    )


def severity_tables(house: House, wh: Warehouse) -> dict[str, pl.DataFrame]:
    """The tables of `SEVERITY`: of everybody held against the criteria, of those with cirrhosis, and of the cohort."""
    candidates = wh.frame("select * from marts.candidates")
    populations = {"candidates": candidates} | {
        name: candidates.join(wh.frame(members), on="candidate_id", how="semi") for name, members in _MEMBERS.items()
    }
    cutoffs, protocol = organ_failure_cutoffs(house.protocol), house.protocol
    organs, grades = organ_failures(populations, cutoffs, score_factors(protocol), variable_units(protocol))
    return {
        "definition_overlap": definition_overlap(populations),
        "organ_failures": organs,
        "grade_bounds": grades,
    }


def sections_of(house: House, wh: Warehouse) -> tuple[Section, ...]:
    """The sections of the study page, from the tables as they stand."""
    overlap, organs, grades = (wh.frame(f"select * from marts.{name}") for name in SEVERITY)
    activity = house.protocol.definitions["pta_from_inr"].cutoffs
    coefficients = {name: float(str(activity[name])) for name in ("c3", "c2", "c1", "c0")}
    return severity_sections(overlap, organs, grades, check_values(organ_failure_cutoffs(house.protocol), coefficients))
