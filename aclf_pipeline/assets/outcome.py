"""What a refresh came to, for whoever started it in a terminal.

What does not belong here: judging; the checks have spoken already.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dagster as dg
import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.settings import Settings

_ATTRITION = 'select step, says, entering, leaving, "left" from marts.attrition order by step'
_VIOLATIONS = """
    select rule_id as rule, table_name as kind, action, count(*) as rows, count(distinct patient_id) as patients
    from quality.violations group by all order by action desc, rows desc
"""
_PROBLEMS = "select batch, path, line, rule_id as rule, message from quality.file_problems order by all limit 25"


@dataclass(frozen=True)
class Outcome:
    """Whether everything passed that blocks, tables to print, and closing lines."""

    passed: bool
    tables: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def describe_outcome(settings: Settings, result: dg.ExecuteInProcessResult) -> Outcome:
    """Attrition, violations, problems of files, failed steps and checks, and the paths to open."""
    house = House.load(settings)
    checks = result.get_asset_check_evaluations()
    failed = [check for check in checks if not check.passed]
    blocking = [check for check in failed if check.severity == dg.AssetCheckSeverity.ERROR and check.blocking]
    with house.open() as wh:
        tables = [("Files the door refused or remarked on", wh.frame(_PROBLEMS)), ("Violations", wh.frame(_VIOLATIONS))]
        if "marts.attrition" in wh.tables():
            tables.append(("Who is in the cohort", wh.frame(_ATTRITION)))
    lines = [f"[bold]{len(checks) - len(failed)} of {len(checks)} checks passed[/bold]"]
    lines += [f"  ! {check.asset_key.to_user_string()}: {check.check_name}: {check.description}" for check in failed]
    lines += [f"  ✗ step {event.step_key} failed" for event in result.all_events if event.is_step_failure]
    if settings.is_synthetic:
        lines.append("[yellow]SYNTHETIC DATA: every person in these exports is invented.[/yellow]")
    lines += [f"  {page}" for page in sorted(settings.reports.glob("*.html"))]
    releases = sorted(settings.releases.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    lines += [f"  release {releases[-1].parent}"] if releases and result.success else []
    return Outcome(
        passed=result.success and not blocking,
        tables=[(title, frame) for title, frame in tables if frame.height],
        lines=lines,
    )
