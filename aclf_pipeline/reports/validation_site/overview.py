"""The overview: the verdict, what changed, every rule, every delivery, and what was repaired, waived or missing.

What does not belong here: what is said of one rule (rule_page), one file (file_page) or one case (case_page).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.links import CASES, rule_page
from aclf_pipeline.reports.page import anchor
from aclf_pipeline.reports.validation_site.context import ValidationContext
from aclf_pipeline.reports.validation_site.files import Delivered
from aclf_pipeline.reports.validation_site.judged import CHANGES, MARKS, Judged
from aclf_pipeline.reports.validation_site.missing import heat
from aclf_pipeline.reports.validation_site.trend import LEAST, sparkline, trend_figure

KAHN = ("conformance", "completeness", "plausibility")
"""Categories in the order of Kahn 2016 (10.13063/2327-9214.1244)."""
_EXPECTED = {"passed": ("✓ passed", "good"), "block": ("✕ not met, blocks", "bad"), "warn": ("! not met", "note")}
_CASE_STATES = ("open", "stale", "decided")
MOST_REFRESHES = 12
"""Refreshes in the table of refreshes; the figure shows what the frame holds."""


def page(context: ValidationContext, rules: Sequence[Judged], files: Sequence[Delivered]) -> str:
    """The overview of one refresh, as one HTML document."""
    return pages.render(
        "validation_site/overview.html.j2",
        heading=f"Validation of {context.source} for {context.study}",
        synthetic=context.synthetic,
        context=context,
        reasons=_reasons(context, rules),
        failed=[rule for rule in rules if rule.failed],
        rules=rules,
        by_table=_by_table(rules),
        matrix=_matrix(rules),
        counts={state: sum(rule.state == state for rule in rules) for state in MARKS},
        marks=MARKS,
        says={rule.rule_id: rule.says for rule in rules},
        sparks={rule.rule_id: sparkline([row["failing_rows"] for row in rule.history]) for rule in rules},
        trend=trend_figure(context.history, synthetic=context.synthetic),
        refreshes=_refreshes(context),
        changed=_changed(context, rules),
        changes=CHANGES,
        cases=_cases(context),
        cases_page=CASES,
        files=files,
        missing=heat(context.missing),
        expectations=_marked(context.expectations),
        unmet=sum(not row["passed"] for row in tables.rows(context.expectations)),
        problems=_problems(context.file_problems),
    )


def _reasons(context: ValidationContext, rules: Sequence[Judged]) -> list[dict[str, Any]]:
    """What keeps a refresh from being published: blocking checks, broken contracts, blocking expectations."""
    reasons = [
        {"text": rule.says, "rows": rule.failing_rows, "link": rule_page(rule.rule_id)}
        for rule in rules
        if rule.state == "blocks"
    ]
    reasons += [
        {"text": f"{row['table']}: {row['problem']}", "rows": None, "link": "#contracts"}
        for row in tables.rows(context.contracts)
    ]
    reasons += [
        {"text": row["says"], "rows": None, "link": f"#{anchor(row['id'], 'expectation')}"}
        for row in tables.rows(context.expectations)
        if row["severity"] == "block" and not row["passed"]
    ]
    return reasons


def group(table: str, category: str) -> str:
    """The anchor of the rules of one table and category."""
    return anchor(f"{table}-{category}", "rules")


def _by_table(rules: Sequence[Judged]) -> list[dict[str, Any]]:
    """Rules by table, in each by category and then the gravest first; the first of a category carries its anchor."""
    found = []
    for name in sorted({rule.table for rule in rules}):
        own = sorted((rule for rule in rules if rule.table == name), key=lambda rule: kahn_order(rule.category))
        seen: set[str] = set()
        rows = []
        for rule in own:
            rows.append({"rule": rule, "group": None if rule.category in seen else group(name, rule.category)})
            seen.add(rule.category)
        found.append({"table": name, "rows": rows})
    return found


def kahn_order(category: str) -> tuple[int, str]:
    """The place of a category in Kahn's order; unknown ones come last."""
    top = category.partition("/")[0]
    return (KAHN.index(top) if top in KAHN else len(KAHN), category)


def _matrix(rules: Sequence[Judged]) -> dict[str, Any]:
    """Kahn category by table: how many checks, how many of them failed, how many rows failed."""
    categories = sorted({rule.category for rule in rules}, key=kahn_order)
    names = sorted({rule.table for rule in rules})
    cells = {(name, category): _cell(rules, name, category) for name in names for category in categories}
    heads: list[dict[str, Any]] = []
    for category in categories:
        top, _, below = category.partition("/")
        if not heads or heads[-1]["top"] != top:
            heads.append({"top": top, "below": []})
        heads[-1]["below"].append(below or "all")
    return {"tables": names, "categories": categories, "heads": heads, "cells": cells}


def _cell(rules: Sequence[Judged], name: str, category: str) -> dict[str, Any] | None:
    here = [rule for rule in rules if rule.table == name and rule.category == category]
    if not here:
        return None
    run = [rule for rule in here if rule.state != "not_run"]
    worst = next(state for state in MARKS if any(rule.state == state for rule in here))
    return {
        "checks": len(run),
        "failed": sum(rule.failed for rule in run),
        "rows": sum(rule.failing_rows or 0 for rule in run),
        "sign": MARKS[worst][0].split()[0],
        "css": MARKS[worst][1],
        "link": rule_page(here[0].rule_id) if len(here) == 1 else f"#{group(name, category)}",
    }


def _changed(context: ValidationContext, rules: Sequence[Judged]) -> dict[str, Any] | None:
    """Rows that are new, reopened, persisting and resolved; None when nobody told, or no refresh came before."""
    known = [rule for rule in rules if any(rule.changes.values())]
    if not known or context.refreshes.height < LEAST:
        return None
    order = ("backwards", *CHANGES)
    return {
        "totals": {state: sum(rule.changes.get(state, 0) for rule in known) for state in CHANGES},
        "backwards": sum(rule.changes.get("backwards", 0) for rule in known),
        "rules": sorted(known, key=lambda rule: [-rule.changes.get(state, 0) for state in order]),
    }


def _refreshes(context: ValidationContext) -> list[dict[str, Any]]:
    """The last refreshes, newest first: how each ended, and how many checks and rows failed in it."""
    if not context.refreshes.height:
        return []
    counted: dict[str, dict[str, int]] = {}
    if context.history.height:
        summed = context.history.group_by("refresh_id").agg(
            (~pl.col("passed")).sum().alias("failed"), pl.len().alias("checks"), pl.col("failing_rows").sum()
        )
        counted = {row["refresh_id"]: row for row in summed.iter_rows(named=True)}
    newest = context.refreshes.sort("started_at", descending=True).head(MOST_REFRESHES)
    rows = []
    for row in newest.iter_rows(named=True):
        own = counted.get(row["refresh_id"], {})
        rows.append(
            {
                "started": row["started_at"],
                "refresh": f"{row['refresh_id'][:8]}{' (this one)' if row['refresh_id'] == context.refresh_id else ''}",
                "protocol": row["protocol_digest"][:12],
                "state": str(row["state"]).replace("_", " "),
                "checks": own.get("checks"),
                "failed": own.get("failed"),
                "failing_rows": own.get("failing_rows"),
            }
        )
    return rows


def _cases(context: ValidationContext) -> dict[str, Any] | None:
    """Cases by question and state; None when there is none."""
    if not context.cases.height:
        return None
    asks = {row["question"]: row["asks"] for row in tables.rows(context.questions)}
    counted = context.cases.group_by("question", "default_choice").agg(
        [(pl.col("state") == state).sum().alias(state) for state in _CASE_STATES]
    )
    rows = [row | {"asks": asks.get(row["question"], row["question"])} for row in counted.iter_rows(named=True)]
    rows.sort(key=lambda row: (-row["open"] - row["stale"], row["question"]))
    return {"rows": rows, "totals": {state: sum(row[state] for row in rows) for state in _CASE_STATES}}


def _problems(problems: pl.DataFrame) -> pl.DataFrame:
    """What was found at the door; what concerns a whole batch carries its name, a line stands as one types it."""
    if not problems.height:
        return problems
    return problems.with_columns(pl.coalesce("path", "batch").alias("path"), pl.col("line").cast(pl.String))


def _marked(expectations: pl.DataFrame) -> list[dict[str, Any]]:
    """Expectations with the mark of their outcome, failed first."""
    rows = []
    for row in tables.rows(expectations, "expected"):
        mark = "passed" if row["passed"] else row["severity"]
        rows.append(row | {"mark": _EXPECTED[mark]})
    return sorted(rows, key=lambda row: (row["passed"], str(row["table"]), str(row["id"])))
