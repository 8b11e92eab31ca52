"""The self-check of the statistics as an asset: made in the run that makes the report, and stopping it on a breach.

What does not belong here: what is compared and simulated (science.selfcheck), the reference data (reference_data), and
the appendix of the page (self_check_page).
"""

from typing import TYPE_CHECKING

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS
from aclf_pipeline.assets.pages import finish_held_back
from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.assets.self_check_page import SEED, SELF_CHECK, SIMULATIONS, TABLES

if TYPE_CHECKING:
    from aclf_pipeline.science.selfcheck import SelfCheck

WITHIN = "within_tolerance"


def self_check_asset(house: House) -> dg.AssetsDefinition:
    """analysis/self_check: agreement with R and coverage of the truth, on the libraries installed here."""

    @dg.asset(
        key=SELF_CHECK,
        deps=[["marts", "cohort"]],
        group_name="analysis",
        kinds={"python"},
        owners=OWNERS["statistics"],
        description="Every estimator held against R's answers on public data, and intervals against a simulated truth",
        check_specs=[
            dg.AssetCheckSpec(
                WITHIN, asset=SELF_CHECK, blocking=True, description="Every difference is within its tolerance"
            )
        ],
    )
    def check(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        found = made()
        with house.open() as wh:
            for part, name in TABLES.items():
                wh.write(name, getattr(found, part))
            if found.breaches:
                finish_held_back(house, wh, context.run.run_id, {"analysis.self_check": found.breaches})
        return dg.MaterializeResult(check_results=[within_tolerance(found)])

    return check


def made() -> "SelfCheck":
    """Compare and simulate; imported here, so that a code location loads without every estimator."""
    from aclf_pipeline.science.selfcheck import self_check

    return self_check(*load_reference(), simulations=SIMULATIONS, seed=SEED)


def within_tolerance(found: "SelfCheck") -> dg.AssetCheckResult:
    """Passes when nothing is out of tolerance; else no report is made, for its numbers could be wrong."""
    breaches = found.breaches
    return dg.AssetCheckResult(
        passed=not breaches,
        check_name=WITHIN,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(breaches[:3]) or f"{found.agreement.height} comparisons, {SIMULATIONS} simulations",
        metadata={"1_breaches": dg.MetadataValue.md("\n".join(f"- {line}" for line in breaches) or "none")},
    )
