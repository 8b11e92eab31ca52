"""The gate: staging judged by contracts, rules and audits, and promoted to core, in one step.

Dagster writes an asset before its check speaks, so the step judges first and promotes last: when a blocking check
fails, the core tables stay as they were and everything downstream is skipped.

What does not belong here: how rows are judged (quality).
"""

from collections.abc import Iterator
from typing import NoReturn

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, table, table_entries
from aclf_pipeline.assets.pages import finish_held_back
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol import Rule
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.quality.summary import SAMPLE_COLUMNS, check_metadata, describe
from aclf_pipeline.quality.verdicts import CheckResult, asked_by_contract
from aclf_pipeline.reports.links import rule_page
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import audit_parents

LEDGER = (
    "quality.superseded", "quality.repairs", "quality.cases", "quality.violations", "quality.quarantine",
    "quality.checks", "quality.findings", "quality.quarantine_releases",
)  # fmt: skip


def gate_asset(house: House) -> dg.AssetsDefinition:
    """core.* and the ledger, with one asset check per rule and one per contract."""
    read = {p for rule in house.rules if rule.id in house.audits for p in audit_parents(house.audits, rule.id)}
    outside = [key(parent) for parent in sorted(read) if not parent.startswith(("staging.", "quality."))]
    core = [_core_spec(kind, outside) for kind in KINDS]
    ledger = [_ledger_spec(name) for name in LEDGER]

    @dg.multi_asset(name="gate", specs=[*core, *ledger], check_specs=_check_specs(house.rules))
    def gate(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        with house.open() as wh:
            report = _judge(house, wh, context.run.run_id)
            checks = [check_result(check, house.settings.reports_url) for check in report.checks]
            if report.blocked:
                yield from checks
                _hold_back(house, wh, context.run.run_id)
            yield from _promoted(house, wh)
            yield from checks

    return gate


def _judge(house: House, wh: Warehouse, refresh_id: str) -> GateReport:
    return run_gate(wh, house.protocol, house.audits, refresh_id, source=house.source.id, review_on=house.review_on(wh))


def _promoted(house: House, wh: Warehouse) -> Iterator[dg.MaterializeResult]:
    """The tables first, then their checks: Dagster shows a check beside the table that was written before it."""
    for name in (*(f"core.{kind}" for kind in KINDS), *LEDGER):
        rows = wh.scalar(f"select count(*) from {name}")
        yield dg.MaterializeResult(key(name), metadata=table_entries(name, rows, house.contract(name)))


def _hold_back(house: House, wh: Warehouse, refresh_id: str) -> NoReturn:
    """The last good tables stay; the validation page says why nothing was published."""
    page = finish_held_back(house, wh, refresh_id)
    raise dg.Failure(f"A blocking check failed: the core tables stay as they were. See the failed checks and {page}")


def _core_spec(kind: str, outside: list[dg.AssetKey]) -> dg.AssetSpec:
    return dg.AssetSpec(
        ["core", kind],
        deps=[["staging", kind], *outside],
        group_name="core",
        kinds={"duckdb", "pandera"},
        owners=OWNERS["data"],
        description=f"Staging minus quarantine minus superseded versions.\n\n{KINDS[kind].__doc__}",
    )


def _ledger_spec(name: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(name),
        deps=[["staging", kind] for kind in KINDS],
        group_name="quality",
        kinds={"duckdb"},
        owners=OWNERS["data"],
        description={
            "quality.superseded": "One row per row that a later version, or its withdrawal, replaces",
            "quality.repairs": "One row per cell put right: what it was, what it became, on what evidence",
            "quality.cases": "One row per question about a patient: its evidence, what was decided, what is in force",
            "quality.violations": "One row per row and rule it breaks: what was seen, what was promised, where from",
            "quality.quarantine": "One row per row set aside, whole",
            "quality.checks": "One row per rule and refresh: counts, share, tolerance, verdict, course of its findings",
            "quality.findings": "One row per row and rule it breaks or broke: since when, what became of it, and why",
            "quality.quarantine_releases": "One row per row a rule had set aside and let go: in which refresh, and why",
        }[name],
    )


def _check_specs(rules: list[Rule]) -> list[dg.AssetCheckSpec]:
    contracts = [asked_by_contract(contract) for contract in KINDS.values()]
    return [
        dg.AssetCheckSpec(asked.rule_id, asset=["core", asked.table], blocking=True, description=asked.says)
        for asked in contracts
    ] + [
        dg.AssetCheckSpec(
            rule.id,
            asset=["core", rule.table],
            blocking=rule.action == "block",
            description=f"{rule.says}. {rule.because}",
        )
        for rule in rules
    ]


def check_result(check: CheckResult, reports_url: str) -> dg.AssetCheckResult:
    """Counts first, then at most 25 failing rows by pseudonym, submitted value, file and line."""
    metadata = check_metadata(check)
    metadata["1_summary"] = dg.MetadataValue.md(metadata["1_summary"])
    metadata["4_sample"] = table(metadata["4_sample"], SAMPLE_COLUMNS)
    metadata["2_page"] = dg.MetadataValue.url(f"{reports_url.rstrip('/')}/{rule_page(check.rule_id)}")
    return dg.AssetCheckResult(
        asset_key=["core", check.table],
        check_name=check.rule_id,
        passed=bool(check.passed),
        severity=dg.AssetCheckSeverity[check.severity],
        description=describe(check),
        metadata=metadata,
    )
