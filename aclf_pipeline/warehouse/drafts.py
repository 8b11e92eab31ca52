"""A source that nobody has finished yet is told as such and refused, never half used.

What does not belong here: making drafts (onboarding).
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

MARK = "DRAFT:"
"""What every guess that a person must go through carries, in source.yaml and in queries."""
AUTHOR = "draft"
"""The author of a row of a mapping that nobody has signed yet."""

_FLAG = re.compile(r"^draft:", re.MULTILINE)


def unfinished(folder: Path) -> list[str]:
    """What of a source's folder is still a draft, a sentence per file; nothing when a person has been through it."""
    problems = []
    for path in sorted(folder.glob("*")):
        if path.suffix in (".yaml", ".sql"):
            text = path.read_text("utf-8")
            lines = [number for number, line in enumerate(text.splitlines(), start=1) if MARK in line]
            if path.suffix == ".yaml" and _FLAG.search(text):
                problems.append(f"{path.name} still says 'draft: true'")
            if lines:
                more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
                told = ", ".join(map(str, lines[:5]))
                problems.append(f"{path.name} still has '{MARK}' on line {told}{more}")
        elif path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                unsigned = sum(row.get("author") == AUTHOR for row in csv.DictReader(file))
            if unsigned:
                problems.append(f"{path.name} still has {unsigned:,} rows whose author is '{AUTHOR}'")
    return problems
