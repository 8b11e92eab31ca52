"""Expectations of populations as asset checks: one spec and one result each.

What does not belong here: measuring them (quality) and the bounds (expectations.yaml of the study).
"""

from collections.abc import Iterable

import dagster as dg

from aclf_pipeline.protocol.expectations import Expectation
from aclf_pipeline.quality.expectations import COUNTED, ExpectationResult
from aclf_pipeline.quality.summary import expectation_metadata, plain


def asset_of(table: str) -> tuple[str, str]:
    """The asset an expectation is a check of; the counts are of what the gate let through to the cohort."""
    return "marts", "cohort" if table in COUNTED else table


def population_specs(expectations: Iterable[Expectation]) -> list[dg.AssetCheckSpec]:
    """One check per expectation; those of severity `block` stop what comes after."""
    return [
        dg.AssetCheckSpec(
            expectation.id,
            asset=asset_of(expectation.table),
            blocking=expectation.severity == "block",
            description=f"{expectation.says}. {expectation.because}",
        )
        for expectation in expectations
    ]


def population_result(result: ExpectationResult) -> dg.AssetCheckResult:
    """What was expected and what was found."""
    metadata = expectation_metadata(result)
    metadata["1_summary"] = dg.MetadataValue.md(metadata["1_summary"])
    found = "not measured" if result.observed is None else plain(result.observed)
    return dg.AssetCheckResult(
        asset_key=asset_of(result.table),
        check_name=result.id,
        passed=bool(result.passed),
        severity=dg.AssetCheckSeverity.ERROR if result.severity == "block" else dg.AssetCheckSeverity.WARN,
        description=f"found {found}, expected {result.expected}",
        metadata=metadata,
    )
