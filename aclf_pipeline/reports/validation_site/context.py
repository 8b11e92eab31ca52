"""What the validation site is made from: one refresh as the gate left it, as frames.

What does not belong here: what any page makes of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.page import Section

SAMPLE = 25
"""Most example rows of one rule: enough to see the pattern, too few to copy the data."""
RULES = ("rule_id", "table_name", "says", "category", "action", "tolerate", "because", "fix", "condition")
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
NEEDED = {
    "checks": CHECKS,
    "rules": RULES,
    "violations": ("rule_id", "patient", "observed", "file", "line", "sheet"),
    "by_file": ("rule_id", "file_id", "file", "rows", "lines"),
    "in_files": ("file_id", "rule_id", "observed", "line", "sheet"),
    "by_rule": ("rule_id", "patients"),
    "together": ("rule_id", "other", "rows"),
    "columns": ("rule_id", "columns"),
    "files": ("file_id", "path", "batch", "rows"),
    "file_problems": ("batch", "path", "line", "rule_id", "message", "advice", "action"),
    "batches": ("batch", "state", "problems"),
    "history": ("refresh_id", "started_at", "rule_id", "category", "failing_rows", "passed"),
    "refreshes": ("refresh_id", "started_at", "protocol_digest", "state"),
    "findings": ("rule_id", "state", "rows"),
    "releases": ("table_name", "rule_id", "because", "rows"),
    "cases": (
        "case_id",
        "question",
        "patient_id",
        "rule_ids",
        "evidence_digest",
        "evidence",
        "default_choice",
        "decision",
        "in_force",
        "state",
        "stanza",
    ),
    "questions": ("question", "asks", "because", "choices"),
    "repairs": ("rule_id", "table_name", "column_name", "confidence", "rows", "patients"),
    "waivers": ("rule", "scope", "reason", "owner", "approver", "expires", "at_most", "valid"),
    "missing": ("analyte", "says", "year", "stays", "without", "asked"),
    "unmapped": ("what", "code", "name", "rows"),
    "expectations": ("id", "says", "table", "severity", "passed", "observed"),
    "contracts": ("table", "problem"),
}
"""The columns a frame must have when it has rows."""


def _none() -> pl.DataFrame:
    return pl.DataFrame()


@dataclass(frozen=True)
class ValidationContext:
    """One refresh as the gate left it. Frames a refresh has nothing for stay empty; their columns are `NEEDED`.

    checks: the rows of quality.checks of this refresh; `waived_rows` and `notes` are shown if there. rules: one row per
    rule (see `rules_frame`). violations: examples of a rule, in_files: examples of a rule within a file. by_file: how
    many rows of a file break a rule, and how many lines its download has. by_rule: patients of a rule. together: rows
    that break two rules. columns: the delivered columns a rule speaks of. history: checks of earlier refreshes and of
    this one. findings: rows of a rule that are new, persisting, resolved or reopened, or
    that a changed rule brought or took; `backwards` counts those that went backwards. releases: rows that left
    quarantine in this refresh, and why. repairs, waivers, cases,
    questions: as the ledger and the protocol have them. missing: stays of a year without a result of an analyte;
    `asked` tells the analytes of the study. unmapped: words no mapping knows. data_docs: a relative link, or None.
    siblings: names of the other pages in the same folder. `database` is the name of the warehouse file.
    """

    source: str
    study: str
    as_of: date
    refresh_id: str
    protocol_digest: str
    published: bool
    release: str | None = None
    synthetic: bool = False
    database: str = "warehouse.duckdb"
    data_docs: str | None = None
    siblings: tuple[str, ...] = ()
    checks: pl.DataFrame = field(default_factory=_none)
    rules: pl.DataFrame = field(default_factory=_none)
    violations: pl.DataFrame = field(default_factory=_none)
    in_files: pl.DataFrame = field(default_factory=_none)
    by_file: pl.DataFrame = field(default_factory=_none)
    by_rule: pl.DataFrame = field(default_factory=_none)
    together: pl.DataFrame = field(default_factory=_none)
    columns: pl.DataFrame = field(default_factory=_none)
    files: pl.DataFrame = field(default_factory=_none)
    file_problems: pl.DataFrame = field(default_factory=_none)
    batches: pl.DataFrame = field(default_factory=_none)
    superseded: pl.DataFrame = field(default_factory=_none)
    receipts: pl.DataFrame = field(default_factory=_none)
    quarantine: pl.DataFrame = field(default_factory=_none)
    refreshes: pl.DataFrame = field(default_factory=_none)
    history: pl.DataFrame = field(default_factory=_none)
    findings: pl.DataFrame = field(default_factory=_none)
    releases: pl.DataFrame = field(default_factory=_none)
    cases: pl.DataFrame = field(default_factory=_none)
    questions: pl.DataFrame = field(default_factory=_none)
    repairs: pl.DataFrame = field(default_factory=_none)
    waivers: pl.DataFrame = field(default_factory=_none)
    missing: pl.DataFrame = field(default_factory=_none)
    unmapped: pl.DataFrame = field(default_factory=_none)
    expectations: pl.DataFrame = field(default_factory=_none)
    contracts: pl.DataFrame = field(default_factory=_none)
    sections: tuple[Section, ...] = ()

    def __post_init__(self) -> None:
        """Refuse frames that lack a column a page needs; raises ValueError naming all of them."""
        tables.require("validation", {name: (getattr(self, name), needed) for name, needed in NEEDED.items()})


_VIEW = re.compile(r"\baudit\.(\w+)")


def rules_frame(rules: Iterable[Rule], audits: Mapping[str, str]) -> pl.DataFrame:
    """The rules of a protocol as the pages want them; the condition of an audit is its SQL.

    `audits` maps a rule's id to its query, and `_name` to the view that queries read as `audit.name`. `follows` is what
    a stanza adds for the analyst.
    """
    rows = [
        (
            *(rule.id, rule.table, rule.says, rule.category, rule.action, rule.tolerate, rule.because, rule.fix),
            rule.holds or audits.get(rule.id),
            _views(rule, audits),
            rule.follows,
        )
        for rule in rules
    ]
    types = {name: pl.Float64 if name == "tolerate" else pl.String for name in (*RULES, "views", "follows")}
    return pl.DataFrame(rows, schema=types, orient="row")


def _views(rule: Rule, audits: Mapping[str, str]) -> str | None:
    """The views an audit reads, and those they read in turn, as one text; None when there is none."""
    found: dict[str, str] = {}
    texts = [audits.get(rule.id, "")]
    while texts:
        for name in _VIEW.findall(texts.pop()):
            if name not in found and (sql := audits.get(f"_{name}")):
                found[name] = sql
                texts.append(sql)
    return "\n\n".join(f"-- audit.{name}\n{sql.strip()}" for name, sql in found.items()) or None
