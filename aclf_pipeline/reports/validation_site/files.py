"""Delivered files with something to correct, and the page of each: what, by rule, with the rows.

A file that was refused is not among the loaded ones; it has a page all the same, since it is the first to be corrected.

What does not belong here: the rows as files to send back (corrections).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.links import file_rows
from aclf_pipeline.reports.validation_site.context import ValidationContext
from aclf_pipeline.reports.validation_site.corrections import MOST_CSV, MOST_XLSX, REJECTED, without_people
from aclf_pipeline.reports.validation_site.judged import MARKS, Judged, by, placed

_FACTS = ("batch", "kind", "rows", "form", "encoding", "state", "sheets")


@dataclass(frozen=True)
class Delivered:
    """One delivered file with findings. `key` names its page: the file's number, or a hash where it has none."""

    key: str
    path: str
    file_id: int | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)
    found: list[dict[str, Any]] = field(default_factory=list)
    """Per rule: rule_id, rows, lines, and `sample` with line, sheet and observed; the most lines first."""

    @property
    def lines(self) -> int:
        """Lines to correct, those of the file's own problems included."""
        return sum(row["lines"] for row in self.found) + len(self.corrections)

    @property
    def corrections(self) -> list[dict[str, Any]]:
        """The problems somebody has to do something about: what was refused, and remarks that name a line."""
        acted = [problem for problem in self.problems if problem["action"] != "repair"]
        return [problem for problem in acted if problem["action"] == "block" or problem["line"] is not None]

    @property
    def has_downloads(self) -> bool:
        """Whether there is anything to correct."""
        return self.lines > 0

    @property
    def blocked(self) -> bool:
        """Whether the file was refused."""
        return any(problem["action"] == "block" for problem in self.problems)


def delivered(context: ValidationContext) -> list[Delivered]:
    """Every file with something to correct: refused ones first, then by lines."""
    known = {row["path"]: row for row in tables.rows(context.files, *_FACTS)}
    problems = by(context.file_problems, "path")
    counts = by(context.by_file, "file")
    quoted = context.in_files
    if quoted.height:
        quoted = quoted.with_columns(without_people(pl.col("observed")).alias("observed"))
    samples = by(quoted, "file_id", "rule_id")
    made = []
    for path in {**counts, **problems}:
        if path is None:
            continue
        facts = known.get(path, {})
        file_id = facts.get("file_id")
        found = [
            row | {"sample": [placed(line) for line in samples.get((file_id, row["rule_id"]), [])]}
            for row in sorted(counts.get(path, []), key=lambda row: (-row["lines"], row["rule_id"]))
        ]
        own = [placed(problem) for problem in problems.get(path, [])]
        key = str(file_id) if file_id is not None else f"unread-{hashlib.sha256(path.encode()).hexdigest()[:10]}"
        made.append(Delivered(key, path, file_id, facts or {"batch": own[0]["batch"]} if own else facts, own, found))
    wanted = [file for file in made if file.has_downloads or file.blocked]
    return sorted(wanted, key=lambda file: (not file.blocked, -file.lines, file.path))


def page(context: ValidationContext, file: Delivered, rules: Mapping[str, Judged]) -> str:
    """The page of one delivered file, as one HTML document."""
    return pages.render(
        "validation_site/file.html.j2",
        heading=f"To correct in {file.path}",
        synthetic=context.synthetic,
        context=context,
        file=file,
        facts=[(tables.words(name), file.facts[name]) for name in _FACTS if file.facts.get(name) is not None],
        rules={row["rule_id"]: rules.get(row["rule_id"]) for row in file.found},
        rejected=REJECTED,
        marks=MARKS,
        downloads=_downloads(file),
    )


def _downloads(file: Delivered) -> list[dict[str, Any]]:
    """The two forms of the rows to correct, and whether a form had to be cut."""
    most: Sequence[tuple[str, int]] = (("xlsx", MOST_XLSX), ("csv", MOST_CSV))
    return [
        {
            "ending": ending,
            "link": f"../{file_rows(file.key, ending)}",
            "rows": min(file.lines, limit),
            "cut": file.lines > limit,
        }
        for ending, limit in most
        if file.has_downloads
    ]
