"""What the ward sees on a day of a stay: encephalopathy, ascites, infection, bleeding, hepatorenal syndrome.

At the reference day this is the truth. Not here: how it is written (`assessments`, `vitals`, `imaging`).
"""

from __future__ import annotations

from typing import Any

from .course import Stay
from .population import Person

ACUTE = ("index", "second", "terminal")


def encephalopathy(person: Person, stay: Stay, x: dict[str, Any], at: int) -> int:
    """West Haven grade 0 to 4 on a day: the true grade around the reference day, rising before death."""
    if stay.role not in ACUTE:
        return 0
    grade = int(x["he_grade"][person.idx])
    if person.reference - 4 <= at <= person.reference + 1:
        return grade
    if stay.dead and stay.last - at <= 2:
        return max(grade, 4 - (stay.last - at))
    if at < person.reference:
        return grade if person.idx % 2 else 0
    return grade if stay.dead else max(grade - 1, 0)


def ascites(person: Person, stay: Stay, x: dict[str, Any]) -> int:
    """0 none, 1 mild, 2 moderate or large; milder outside the acute stays."""
    level = int(x["ascites"][person.idx])
    return level if stay.role in ACUTE else min(level, 1) if person.idx % 3 == 0 else 0


def flag(person: Person, stay: Stay, x: dict[str, Any], name: str) -> bool:
    """Infection, bleeding, hepatorenal syndrome: present in the acute stays of those who have it."""
    return bool(x[name][person.idx]) and stay.role in ACUTE


def consciousness(grade: int) -> str:
    """Word of the vital-signs sheet for a grade."""
    return ("清醒", "清醒", "嗜睡", "昏睡", "昏迷")[grade]
