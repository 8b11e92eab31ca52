"""What a refresh came to, for whoever started it in a terminal.

What does not belong here: judging; the checks have spoken already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import polars as pl
from rich.markup import escape

from aclf_pipeline.assets.ingest import BATCHES_ACCEPTED
from aclf_pipeline.quality.summary import WENT_BACKWARDS
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.over_time import findings_told

_ATTRITION = 'select step, says, entering, leaving, "left" from marts.attrition order by step'
_VIOLATIONS = """
    select rule_id as rule, table_name as kind, action, count(*) as rows, count(distinct patient_id) as patients
    from quality.violations group by all order by action desc, rows desc
"""
_PROBLEMS = """
    select batch, path, line, rule_id as rule, message from quality.file_problems
    order by action <> 'block', batch, path, line, rule, message limit 25
"""


@dataclass(frozen=True)
class Outcome:
    """Whether every batch was taken, everything passed that blocks, and no data went backwards; tables to print;
    closing lines in markup.
    """

    passed: bool
    tables: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def describe_outcome(settings: Settings, result: dg.ExecuteInProcessResult) -> Outcome:
    """Attrition, violations, problems of files, failed steps and checks, and the paths to open."""
    checks = result.get_asset_check_evaluations()
    failed = [check for check in checks if not check.passed]
    blocking = [check for check in failed if check.severity == dg.AssetCheckSeverity.ERROR and check.blocking]
    backwards = [c for c in failed if c.severity == dg.AssetCheckSeverity.ERROR and _went_backwards(c)]
    refused = any(check.check_name == BATCHES_ACCEPTED for check in failed)
    with Warehouse.open(settings.warehouse, memory_limit=settings.memory_limit, threads=settings.threads) as wh:
        tables = [("Files the door refused or remarked on", wh.frame(_PROBLEMS)), ("Violations", wh.frame(_VIOLATIONS))]
        if "marts.attrition" in wh.tables():
            tables.append(("Who is in the cohort", wh.frame(_ATTRITION)))
        told = findings_told(wh)
    lines = [f"[bold]{len(checks) - len(failed)} of {len(checks)} checks passed[/bold]", *map(escape, told)]
    for check in failed:
        lines.append(escape(f"  ! {check.asset_key.to_user_string()}: {check.check_name}: {check.description}"))
    for step, reason in _failures(result):
        lines.append(f"  [red]✗[/red] {escape(f'step {step} failed: {reason}')}")
    if settings.is_synthetic:
        lines.append("[yellow]SYNTHETIC DATA: every person in these exports is invented.[/yellow]")
    lines += [escape(f"  {page}") for page in sorted(settings.reports.glob("*.html"))]
    if refused:
        lines.append("[red]A batch was refused[/red]; everything rests on the batches before it.")
    if backwards:
        rules = ", ".join(sorted(check.check_name for check in backwards))
        lines.append(
            f"[red]The data went backwards[/red] in what {escape(rules)} asks, since the last accepted refresh."
        )
    release = _release(result)
    lines.append(escape(f"  release {release}") if release else "[red]Not published[/red]; the last release stands.")
    return Outcome(
        passed=result.success and not blocking and not refused and not backwards,
        tables=[(title, frame) for title, frame in tables if frame.height],
        lines=lines,
    )


def _went_backwards(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a check of the gate failed because findings came back, or rows that were clean fail."""
    told = check.metadata.get(WENT_BACKWARDS)
    return told is not None and bool(told.value)


def _failures(result: dg.ExecuteInProcessResult) -> Iterator[tuple[str, str]]:
    """Every failed step with the sentence of the error at the bottom of it."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        error = failure.error
        while error is not None and error.cause is not None:
            error = error.cause
        if failure.user_failure_data is not None and failure.user_failure_data.description:
            reason = failure.user_failure_data.description
        elif error is None:
            reason = "no reason was recorded"
        else:
            reason = _sentence(str(error.cls_name), error.message.strip())
        yield str(event.step_key), reason


def _sentence(kind: str, message: str) -> str:
    """What an error of ours says; of any other, its kind as well."""
    where, found, words = message.partition(f"{kind}: ")
    if not found:
        return message
    return words if where.startswith("aclf_pipeline.") else f"{kind}: {words}"


def _release(result: dg.ExecuteInProcessResult) -> Path | None:
    """The release this refresh came to, which may have been written by an earlier one."""
    for event in result.all_events:
        if event.is_step_materialization and event.asset_key == dg.AssetKey("release"):
            return Path(str(event.step_materialization_data.materialization.metadata["path"].value))
    return None
