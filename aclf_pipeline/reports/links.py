"""Where stories and every page and download of the validation site lie, relative to the folder of all pages.

What does not belong here: what is in them.
"""

from __future__ import annotations

import re
from typing import Any

OVERVIEW = "validation.html"
CASES = "cases.html"
STORIES = "stories"
STORY_STYLE = f"{STORIES}/story.css"
OWN = (OVERVIEW, CASES, "rules", "files")
"""Everything of the site; whatever else lies in the same folder is somebody else's."""


def story_page(candidate: Any) -> str:
    """The story of a candidate, under its pseudonym."""
    return f"{STORIES}/{_name(candidate)}.html"


def rule_page(rule_id: Any) -> str:
    """The page of a rule."""
    return f"rules/{_name(rule_id)}.html"


def rule_rows(rule_id: Any) -> str:
    """The rows to correct of one rule, as CSV."""
    return f"rules/{_name(rule_id)}/rows_to_correct.csv"


def file_page(file_id: Any) -> str:
    """The page of a delivered file."""
    return f"files/{_name(file_id)}.html"


def file_rows(file_id: Any, ending: str) -> str:
    """The rows to correct of one delivered file; `ending` is csv or xlsx."""
    return f"files/{_name(file_id)}/rows_to_correct.{ending}"


def _name(key: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", str(key))
