"""The list of what was planted where: one entry per affected cell, row or file, resolved to physical lines at the end.

Not here: planting (`lab_habits`, `defects`), and how a pipeline should find anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HABITS: tuple[str, ...] = (
    "censored_string", "nonnumeric_result", "number_decorated", "report_reissued", "row_withdrawn", "date_month_only",
)  # fmt: skip


def patient_id(position: int) -> str:
    """`P000001` for the first person; occurs nowhere in the exports."""
    return f"P{position + 1:06d}"


@dataclass(slots=True)
class Finding:
    """One row of `truth/defects.parquet`; `row` is the internal row id until the file is laid out."""

    defect_id: str
    file: str
    row: int | None
    person: int | None
    column: str | None
    original: str | None
    corrupted: str | None
    instance: int
    level: str
    actions: tuple[str, ...]
    habit: bool = False
    detectable: bool = True
    line: int | None = None
    sheet: str | None = None


@dataclass(slots=True)
class Findings:
    """All findings of a bundle; `instances` numbers the events."""

    entries: list[Finding] = field(default_factory=list)
    instances: int = 0
    _waiting: dict[str, list[Finding]] = field(default_factory=dict)

    def instance(self) -> int:
        """A new instance number."""
        self.instances += 1
        return self.instances

    def add(self, finding: Finding) -> None:
        """Record a finding; its line is filled in when its file is laid out."""
        self.entries.append(finding)
        if finding.row is not None:
            self._waiting.setdefault(finding.file, []).append(finding)

    def rename(self, old: str, new: str) -> None:
        """A file is delivered under another name."""
        for entry in self.entries:
            if entry.file == old:
                entry.file = new
        if old in self._waiting:
            self._waiting[new] = self._waiting.pop(old)

    def waiting(self, file: str) -> list[Finding]:
        """Findings of one file whose lines are not known yet."""
        return self._waiting.get(file, [])

    def resolve(
        self, file: str, rows: Sequence[int], lines: Sequence[int], sheets: Mapping[int, str] | None = None
    ) -> None:
        """Fill lines (and sheets) of one file from its rows in order.

        A `duplicate_row` names the line of the first copy in `original`, which is written there as `row:<id>`.
        """
        waiting = self._waiting.pop(file, [])
        if not waiting:
            return
        known = dict(zip(rows, lines, strict=True))
        for finding in waiting:
            finding.line = known[finding.row] if finding.row is not None else None
            if sheets is not None and finding.row is not None:
                finding.sheet = sheets[finding.row]
            if finding.original is not None and finding.original.startswith("row:"):
                finding.original = str(known[int(finding.original[4:])])
