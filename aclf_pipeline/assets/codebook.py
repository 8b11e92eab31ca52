"""The codebook of the cohort as a table, and the labels that files for statistical programs carry.

What does not belong here: what a column means (contracts, protocol) and how a file is written (warehouse).
"""

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, key, table_entries
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.reports.codebook import codebook, labels
from aclf_pipeline.warehouse.statistical_files import Labels

CODEBOOK = "marts.codebook"
FOR_PROGRAMS = ("cohort", "time_zeros", "intervals")
"""The tables a release holds for Stata and SPSS."""
_CONTRACT = "contract"


def codebook_asset(house: House) -> dg.AssetsDefinition:
    """marts.codebook: one row per column of the cohort."""
    contracts = MARTS[house.settings.study]
    candidates = next(model for model in house.models if model.table == "marts.candidates")

    @dg.asset(
        key=key(CODEBOOK),
        deps=[["marts", "cohort"], ["rules", "analytes"]],
        group_name="marts",
        kinds={"python", "polars"},
        owners=OWNERS["clinic"],
        description=contracts["codebook"].__doc__,
        check_specs=[
            dg.AssetCheckSpec(_CONTRACT, asset=key(CODEBOOK), blocking=True, description="codebook keeps its contract")
        ],
    )
    def build_codebook(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # noqa: ARG001
        with house.open() as wh:
            cohort = wh.frame("select * from marts.cohort")
            made = codebook(house.protocol, contracts["cohort"], cohort, candidates.columns_lineage)
            wh.write(CODEBOOK, made)
        told = check_table(made, contracts["codebook"])
        check = dg.AssetCheckResult(check_name=_CONTRACT, passed=not told, description="; ".join(told) or "kept")
        entries = table_entries(CODEBOOK, made.height, contracts["codebook"])
        return dg.MaterializeResult(metadata=entries, check_results=[check])

    return build_codebook


def labels_of(house: House) -> dict[str, Labels]:
    """Labels of every table that a release holds for statistical programs, by `schema.name`."""
    contracts = MARTS[house.settings.study]
    return {f"marts.{name}": labels(contracts[name], house.protocol.study) for name in FOR_PROGRAMS}
