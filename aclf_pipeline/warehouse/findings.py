"""What the door finds on its way in: refused files, rows that are no rows, repairs. Never the text of a cell.

What does not belong here: keeping the findings (ledger) and finding them (the readers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["block", "flag", "repair"]


@dataclass(frozen=True)
class Finding:
    """One thing found about a file: `line` is the physical line it concerns, None for the whole file."""

    rule_id: str
    message: str
    advice: str
    line: int | None = None
    action: Action = "block"


class RefusedError(Exception):
    """A file cannot be taken in; carries every finding that says why."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        super().__init__("; ".join(finding.message for finding in findings))


@dataclass(frozen=True)
class Reject:
    """A physical record that is no row, at the line it starts on; its content is not kept."""

    line: int
    rule_id: str
    reason: str
    pieces: int = 1
    sheet: int = 0


@dataclass(frozen=True)
class Receipt:
    """A repair made while reading. `seen` and `became` describe it and hold no identifier."""

    line: int
    rule_id: str
    seen: str
    became: str
    column: str | None = None
    sheet: int = 0


def truncated(message: str, line: int | None = None) -> Finding:
    """A file that did not arrive whole."""
    return Finding(
        "truncated_file",
        message,
        "Deliver the batch again as a folder ending in _r2 (or the next number); the file was damaged on its way.",
        line,
    )


def wrong_encoding(message: str, line: int | None = None) -> Finding:
    """A file that is not one text in one encoding."""
    return Finding(
        "wrong_encoding",
        message,
        "Export the file again in one encoding, UTF-8 or GB18030 throughout, and deliver the batch as _r<N>.",
        line,
    )
