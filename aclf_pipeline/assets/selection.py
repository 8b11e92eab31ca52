"""What selection did: combinations of unmet criteria, and what every other choice of the study page would change.

What does not belong here: how a choice is tried (quality/choices) and criteria (the study page).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, table_entries
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.choices import Rebuild, parameter_choices, selected
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.science.cohort import criteria_of
from aclf_pipeline.science.eligibility import combinations
from aclf_pipeline.warehouse.connection import Warehouse

SELECTION_TABLES = ("exclusion_combinations", "parameter_choices", "parameter_members")
CONTRACTS = "contracts_of_selection"
"""One check for the contracts of all tables of this step."""
_DEPS = ("marts.candidates", "marts.cohort", "marts.eligibility")


def selection_asset(house: House) -> dg.AssetsDefinition:
    """marts.exclusion_combinations, marts.parameter_choices and marts.parameter_members."""
    contracts = MARTS[house.settings.study]
    specs = [
        dg.AssetSpec(
            ["marts", name],
            deps=[key(dep) for dep in _DEPS],
            group_name="marts",
            kinds={"python", "polars", "duckdb"},
            owners=OWNERS["statistics"],
            description=contracts[name].__doc__,
        )
        for name in SELECTION_TABLES
    ]
    check = dg.AssetCheckSpec(
        CONTRACTS,
        asset=["marts", SELECTION_TABLES[0]],
        blocking=True,
        description="Combinations of criteria and other choices keep their strict contracts",
    )

    @dg.multi_asset(name="selection", specs=specs, check_specs=[check])
    def selection(context: dg.AssetExecutionContext) -> Iterator[Yielded]:  # noqa: ARG001
        with house.open() as wh:
            made = _made(house, wh)
            told = [f"- {name}: {text}" for name in made for text in check_table(made[name], contracts[name])]
            _write(wh, made)
        for name, frame in made.items():
            entries = table_entries(f"marts.{name}", frame.height, contracts[name])
            yield dg.MaterializeResult(key(f"marts.{name}"), metadata=entries)
        yield _contract_result(told)

    return selection


def _made(house: House, wh: Warehouse) -> dict[str, pl.DataFrame]:
    """Every table of the step."""
    cohort, eligibility = (wh.frame(f"select * from {name}") for name in _DEPS[1:])
    downstream = [model for model in house.models if model.schema in ("intermediate", "marts")]
    promised = {model.table: found for model in downstream if (found := house.contract(model.table)) is not None}
    choices, members = parameter_choices(
        wh, house.protocol, Rebuild(downstream, promised, house.as_of), selected(cohort, eligibility)
    )
    return {
        "exclusion_combinations": combinations(eligibility, criteria_of(house.protocol.study)),
        "parameter_choices": choices,
        "parameter_members": members,
    }


def _write(wh: Warehouse, made: dict[str, pl.DataFrame]) -> None:
    with wh.transaction():
        for name, frame in made.items():
            wh.write(f"marts.{name}", frame)


def _contract_result(told: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=["marts", SELECTION_TABLES[0]],
        check_name=CONTRACTS,
        passed=not told,
        description=f"{len(told)} problems" if told else "kept",
        metadata={"1_problems": dg.MetadataValue.md("\n".join(told) or "none")},
    )
