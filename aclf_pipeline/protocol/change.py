"""One change between two versions of the protocol, and the words for what it does.

What does not belong here: finding changes (diff.py and the modules it reads).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Effect = Literal["breaking", "results", "harmless"]
EFFECTS: tuple[Effect, ...] = ("breaking", "results", "harmless")
"""Gravest first."""

WORDING = frozenset(
    {
        "says",
        "because",
        "fix",
        "follows",
        "title",
        "label",
        "asks",
        "reason",
        "unverified",
        "aliases",
        "registry",
        "category",
    }
)
"""Words of a stanza that tell a reader something and change nothing that is done."""


@dataclass(frozen=True)
class Change:
    """Where (page and stanza), what, what it does, and a sentence for a person."""

    page: str
    name: str
    what: str
    effect: Effect
    says: str


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Words that two stanzas do not say alike, in the order of the older one."""
    return [word for word in dict.fromkeys([*old, *new]) if old.get(word) != new.get(word)]


def shown(value: Any) -> str:
    """A value of a page, short."""
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def from_to(word: str, old: Any, new: Any) -> str:
    """`word` from one value to another, for the end of a sentence."""
    return f"{word} from {shown(old)} to {shown(new)}"
