"""The validation page: what was promised of the data, what was found, what follows, and what to look at.

For every rule: what it says, why, the condition that ran, how many rows failed against how many are tolerated, where
they come from, and what the hospital's IT should look at. Failed checks come first; nothing is hidden behind colour.

What does not belong here: judging rows (quality) and any identifier; a patient is shown by pseudonym or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
from markupsafe import Markup, escape

from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.page import Section, anchor

SAMPLE = 25
"""Most example rows of one rule: enough to see the pattern, too few to copy the data."""
PSEUDONYM = re.compile(r"[A-Z][0-9a-f]{16}")
KAHN = ("conformance", "completeness", "plausibility")
"""Categories in the order of Kahn 2016 (10.13063/2327-9214.1244)."""
CHECKS = (
    "rule_id",
    "table_name",
    "category",
    "action",
    "rows",
    "failing_rows",
    "share",
    "tolerate",
    "passed",
    "blocking",
)
OPTIONAL = ("waived_rows", "notes")
RULES = ("rule_id", "table_name", "says", "category", "action", "tolerate", "because", "fix", "condition")
VIOLATIONS = ("rule_id", "patient", "observed", "file", "line", "sheet")
MARKS = {
    "blocks": ("✕ blocks", "bad"),
    "error": ("✕ failed", "bad"),
    "warning": ("! above tolerance", "note"),
    "tolerated": ("✓ within tolerance", "good"),
    "passed": ("✓ passed", "good"),
    "not_run": ("– not run", "soft"),
}


def _none() -> pl.DataFrame:
    return pl.DataFrame()


@dataclass(frozen=True)
class ValidationContext:
    """One refresh as the gate left it. Frames a refresh has nothing for stay empty.

    checks: the rows of quality.checks of this refresh; waived_rows and notes are shown if there. rules: `RULES`, one
    row per rule (see `rules_frame`). violations: `VIOLATIONS`, examples; at most `SAMPLE` a rule are shown. by_file:
    rule_id, file, rows. files, file_problems, batches: as in the ledger. superseded: table_name, reason, rows.
    receipts: rule_id, table_name, column_name, rows. quarantine: table_name, rows. history: refresh_id, started_at,
    rule_id, failing_rows. expectations: id, says, table, severity, passed, observed, and expected if there.
    contracts: table, problem.
    """

    source: str
    study: str
    as_of: date
    refresh_id: str
    protocol_digest: str
    published: bool
    release: str | None = None
    synthetic: bool = False
    checks: pl.DataFrame = field(default_factory=_none)
    rules: pl.DataFrame = field(default_factory=_none)
    violations: pl.DataFrame = field(default_factory=_none)
    by_file: pl.DataFrame = field(default_factory=_none)
    files: pl.DataFrame = field(default_factory=_none)
    file_problems: pl.DataFrame = field(default_factory=_none)
    batches: pl.DataFrame = field(default_factory=_none)
    superseded: pl.DataFrame = field(default_factory=_none)
    receipts: pl.DataFrame = field(default_factory=_none)
    quarantine: pl.DataFrame = field(default_factory=_none)
    history: pl.DataFrame = field(default_factory=_none)
    expectations: pl.DataFrame = field(default_factory=_none)
    contracts: pl.DataFrame = field(default_factory=_none)
    sections: tuple[Section, ...] = ()


def rules_frame(rules: Iterable[Rule], audits: Mapping[str, str]) -> pl.DataFrame:
    """The rules of a protocol as the page wants them; the condition of an audit is its SQL."""
    rows = [
        (r.id, r.table, r.says, r.category, r.action, r.tolerate, r.because, r.fix, r.holds or audits.get(r.id))
        for r in rules
    ]
    types = {name: pl.Float64 if name == "tolerate" else pl.String for name in RULES}
    return pl.DataFrame(rows, schema=types, orient="row")


def page(context: ValidationContext) -> str:
    """The validation page of one refresh, as one HTML document."""
    tables.require(
        "validation page",
        {
            "checks": (context.checks, CHECKS),
            "rules": (context.rules, RULES),
            "violations": (context.violations, VIOLATIONS),
            "by_file": (context.by_file, ("rule_id", "file", "rows")),
            "history": (context.history, ("refresh_id", "started_at", "rule_id", "failing_rows")),
            "expectations": (context.expectations, ("id", "says", "table", "severity", "passed", "observed")),
            "contracts": (context.contracts, ("table", "problem")),
        },
    )
    rules = _rules(context)
    return pages.render(
        "validation.html.j2",
        heading=f"Validation of {context.source} for {context.study}",
        synthetic=context.synthetic,
        context=context,
        reasons=_reasons(context, rules),
        failed=[rule for rule in rules if rule["state"] in ("blocks", "error", "warning")],
        rules=rules,
        matrix=_matrix(rules),
        counts={state: sum(rule["state"] == state for rule in rules) for state in MARKS},
        marks=MARKS,
        most=SAMPLE,
        expectations=_marked(context.expectations),
    )


def _rules(context: ValidationContext) -> list[dict[str, Any]]:
    """Every rule and every check once, worst first, then by table and name."""
    checks = {row["rule_id"]: row for row in tables.rows(context.checks, *OPTIONAL)}
    known = {row["rule_id"]: row for row in tables.rows(context.rules, *RULES)}
    samples = _samples(context.violations)
    files = _by_rule(context.by_file)
    history = _by_rule(context.history.sort("started_at") if context.history.height else context.history)
    found = []
    for rule_id in known | checks:
        check = checks.get(rule_id)
        rule = dict.fromkeys((*CHECKS, *OPTIONAL, *RULES)) | known.get(rule_id, {}) | (check or {})
        rule["state"] = _state(check)
        rule["sample"] = samples.get(rule_id, [])
        rule["files"] = sorted(files.get(rule_id, []), key=lambda row: (-row["rows"], str(row["file"])))[:SAMPLE]
        rule["trend"] = _sparkline(history.get(rule_id, []))
        found.append(rule)
    order = list(MARKS)
    return sorted(found, key=lambda rule: (order.index(rule["state"]), str(rule["table_name"]), str(rule["rule_id"])))


def _state(check: Mapping[str, Any] | None) -> str:
    """One of `MARKS`: what a check came to."""
    if check is None:
        return "not_run"
    if not check["passed"]:
        if check["blocking"]:
            return "blocks"
        return "warning" if check["action"] == "flag" else "error"
    return "tolerated" if check["failing_rows"] else "passed"


def _by_rule(frame: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(row["rule_id"], []).append(row)
    return found


def _samples(violations: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """At most `SAMPLE` examples a rule; whoever is not a pseudonym is withheld."""
    found = {rule_id: rows[:SAMPLE] for rule_id, rows in _by_rule(violations).items()}
    return {rule_id: [row | {"patient": _pseudonym(row["patient"])} for row in rows] for rule_id, rows in found.items()}


def _pseudonym(patient: Any) -> str | None:
    """The pseudonym itself; anything else might be an identifier and is not shown."""
    if patient is None:
        return None
    return str(patient) if PSEUDONYM.fullmatch(str(patient)) else "withheld"


def _reasons(context: ValidationContext, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What keeps a refresh from being published: blocking checks, broken contracts, blocking expectations."""
    reasons = [
        {"text": rule["says"] or rule["rule_id"], "rows": rule["failing_rows"], "link": anchor(rule["rule_id"])}
        for rule in rules
        if rule["state"] == "blocks"
    ]
    reasons += [
        {"text": f"{row['table']}: {row['problem']}", "rows": None, "link": "contracts"}
        for row in tables.rows(context.contracts)
    ]
    reasons += [
        {"text": row["says"], "rows": None, "link": anchor(row["id"], "expectation")}
        for row in tables.rows(context.expectations)
        if row["severity"] == "block" and not row["passed"]
    ]
    return reasons


def _matrix(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Kahn category by table: how many checks, how many of them failed, how many rows failed."""
    categories = sorted({str(rule["category"]) for rule in rules}, key=_kahn_order)
    names = sorted({str(rule["table_name"]) for rule in rules})
    cells = {(name, category): _cell(rules, name, category) for name in names for category in categories}
    heads: list[dict[str, Any]] = []
    for category in categories:
        top, _, below = category.partition("/")
        if not heads or heads[-1]["top"] != top:
            heads.append({"top": top, "below": []})
        heads[-1]["below"].append(below or "all")
    return {"tables": names, "categories": categories, "heads": heads, "cells": cells}


def _kahn_order(category: str) -> tuple[int, str]:
    top = category.partition("/")[0]
    return (KAHN.index(top) if top in KAHN else len(KAHN), category)


def _cell(rules: list[dict[str, Any]], name: str, category: str) -> dict[str, Any] | None:
    here = [r for r in rules if str(r["table_name"]) == name and str(r["category"]) == category]
    run = [rule for rule in here if rule["state"] != "not_run"]
    if not here:
        return None
    worst = next((state for state in MARKS if any(rule["state"] == state for rule in here)), "not_run")
    return {
        "checks": len(run),
        "failed": sum(not rule["passed"] for rule in run),
        "rows": sum(rule["failing_rows"] or 0 for rule in run),
        "css": MARKS[worst][1],
        "link": anchor(here[0]["rule_id"]),
    }


def _marked(expectations: pl.DataFrame) -> list[dict[str, Any]]:
    """Expectations with the mark of their outcome, failed first."""
    rows = []
    for row in tables.rows(expectations, "expected"):
        state = "passed" if row["passed"] else ("blocks" if row["severity"] == "block" else "warning")
        rows.append(row | {"state": state})
    return sorted(rows, key=lambda row: (row["passed"], str(row["table"]), str(row["id"])))


def _sparkline(history: list[dict[str, Any]]) -> Markup | None:
    """Failing rows over the refreshes as a small line, with the same said in words."""
    values = [row["failing_rows"] for row in history if row["failing_rows"] is not None]
    if len(values) < 2:
        return None
    top = max(*values, 1)
    points = " ".join(
        f"{2 + 116 * index / (len(values) - 1):.1f},{20 - 18 * value / top:.1f}" for index, value in enumerate(values)
    )
    words = f"Failing rows over {len(values)} refreshes: first {values[0]:,}, highest {top:,}, now {values[-1]:,}"
    return Markup(  # noqa: S704 (numbers of our own and one escaped sentence)
        f'<svg class="spark" viewBox="0 0 120 22" role="img" aria-label="{escape(words)}">'
        f"<title>{escape(words)}</title>"
        f'<polyline points="{points}" fill="none" stroke="#0072B2" stroke-width="1.6"/>'
        f'<circle cx="118" cy="{points.rsplit(",", 1)[1]}" r="2" fill="#0072B2"/></svg>'
    )
