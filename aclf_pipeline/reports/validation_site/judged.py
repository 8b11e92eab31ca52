"""One rule as the pages show it: what it says, what it came to, and everything that was found about it.

What does not belong here: how it is laid out (the pages) and judging anything anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.validation_site.context import CHECKS, RULES, SAMPLE, ValidationContext

PSEUDONYM = re.compile(r"[A-Z][0-9a-f]{16}")
MARKS = {
    "blocks": ("✕ blocks", "bad"),
    "unjudged": ("✕ could not be judged", "bad"),
    "backwards": ("✕ went backwards", "bad"),
    "error": ("✕ failed", "bad"),
    "warning": ("! above tolerance", "note"),
    "undecided": ("? to be decided", "note"),
    "aside": ("! set aside", "note"),
    "tolerated": ("✓ within tolerance", "good"),
    "passed": ("✓ passed", "good"),
    "not_run": ("– not run", "soft"),
}
"""Outcome → its words and its style, the gravest first. The words say it without the colour."""
FAILED = ("blocks", "unjudged", "backwards", "error", "warning", "undecided")
CHANGES = ("new", "reopened", "persisting", "resolved", "rule_changed")
_OPTIONAL = ("waived_rows", "notes", "views", "follows")


@dataclass(frozen=True)
class Judged:
    """A rule, or a check that no page of the protocol has, with what was found about it in this refresh."""

    rule_id: str
    table: str
    says: str
    category: str
    action: str
    state: str
    because: str | None
    fix: str | None
    condition: str | None
    views: str | None
    follows: str | None
    rows: int | None
    failing_rows: int | None
    share: float | None
    tolerate: float | None
    waived_rows: int | None
    notes: list[str] | None
    patients: int | None
    columns: str | None
    sample: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    together: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    changes: Mapping[str, int] = field(default_factory=dict)
    repairs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether more rows failed than are tolerated, or the check could not be carried out."""
        return self.state in FAILED

    @property
    def lines(self) -> int:
        """Lines to correct, over all files."""
        return sum(file["lines"] for file in self.files)


def judged(context: ValidationContext) -> list[Judged]:
    """Every rule and every check once, the gravest first, then by table and name."""
    checks = {row["rule_id"]: row for row in tables.rows(context.checks, *_OPTIONAL)}
    known = {row["rule_id"]: row for row in tables.rows(context.rules, *_OPTIONAL)}
    about = _about(context)
    made = [_judged(rule_id, known.get(rule_id, {}), checks.get(rule_id), about) for rule_id in known | checks]
    order = list(MARKS)
    return sorted(made, key=lambda rule: (order.index(rule.state), rule.table, rule.rule_id))


def _about(context: ValidationContext) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The rows of every frame that speaks of rules, by rule."""
    names = ("violations", "by_file", "by_rule", "together", "columns", "history", "findings", "repairs")
    return {name: by(getattr(context, name), "rule_id") for name in names}


def _judged(
    rule_id: str,
    rule: Mapping[str, Any],
    check: Mapping[str, Any] | None,
    about: Mapping[str, Mapping[str, list[dict[str, Any]]]],
) -> Judged:
    facts = dict.fromkeys((*CHECKS, *RULES, *_OPTIONAL)) | dict(rule) | _known(check or {})
    own = {name: rows.get(rule_id, []) for name, rows in about.items()}
    of_rule, columns = (own["by_rule"] or [{}])[0], (own["columns"] or [{}])[0]
    return Judged(
        rule_id=rule_id,
        table=str(facts["table_name"]),
        says=str(facts["says"] or rule_id),
        category=str(facts["category"]),
        action=str(facts["action"]),
        state="aside" if check is None and own["by_file"] else state_of(check),
        because=facts["because"],
        fix=facts["fix"],
        condition=facts["condition"],
        views=facts["views"],
        follows=facts["follows"],
        rows=facts["rows"],
        failing_rows=facts["failing_rows"],
        share=facts["share"],
        tolerate=facts["tolerate"],
        waived_rows=facts["waived_rows"],
        notes=facts["notes"],
        patients=of_rule.get("patients"),
        columns=columns.get("columns"),
        sample=[placed(row) | {"patient": pseudonym(row["patient"])} for row in own["violations"][:SAMPLE]],
        files=sorted(own["by_file"], key=lambda row: (-row["rows"], str(row["file"]))),
        together=sorted(own["together"], key=lambda row: (-row["rows"], str(row["other"]))),
        history=sorted(own["history"], key=lambda row: row["started_at"]),
        changes={row["state"]: row["rows"] for row in own["findings"]},
        repairs=own["repairs"],
    )


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row knows: a null says nothing against what is known already."""
    return {name: value for name, value in row.items() if value is not None}


def state_of(check: Mapping[str, Any] | None) -> str:
    """One of `MARKS`: what a check came to."""
    if check is None:
        return "not_run"
    if check["passed"]:
        return "tolerated" if check["failing_rows"] else "passed"
    if check["blocking"]:
        return "blocks"
    if check["action"] == "adjudicate":
        return "undecided"
    if not check["failing_rows"]:
        return "unjudged"
    if check["share"] <= check["tolerate"]:
        return "backwards"
    return "warning" if check["action"] in ("flag", "repair") else "error"


def by(frame: pl.DataFrame, *keys: str) -> dict[Any, list[dict[str, Any]]]:
    """The rows of a frame by one column, or by a tuple of several."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in frame.iter_rows(named=True):
        found.setdefault(row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys), []).append(row)
    return found


def placed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its line as one types it into an editor, without separators."""
    return dict(row) | {"line": None if row["line"] is None else str(row["line"])}


def pseudonym(patient: Any) -> str | None:
    """The pseudonym itself; anything else might be an identifier and is not shown."""
    if patient is None:
        return None
    return str(patient) if PSEUDONYM.fullmatch(str(patient)) else "withheld"
