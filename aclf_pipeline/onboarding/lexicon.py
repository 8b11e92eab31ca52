"""The words by which columns are guessed: a typed reader of `lexicon.yaml`, and how a header is compared with them.

What does not belong here: looking at values (`columns`).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

_BRACKETS = re.compile(r"[(\[【].*?[)\]】]")
_NUMBERED = re.compile(r"(?<=[^\W\d_])\d{1,2}$")
_NEAR = 0.86


class Page(BaseModel):
    """No unknown word, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Page):
    """What a header may be (`names`), or hold (`parts`)."""

    names: tuple[str, ...]
    parts: tuple[str, ...] = ()


class Identity(Words):
    """A column that names somebody, with its privacy class and, for class K, which identifier it is."""

    role: str
    phi: str
    as_: str | None = Field(default=None, alias="as")


class Kind(Page):
    """A canonical kind: its columns, and which of them (`a|b`: either) must be met before it is guessed."""

    needs: tuple[str, ...]
    columns: Mapping[str, Words]


class Lexicon(Page):
    """The whole page."""

    identity: tuple[Identity, ...]
    kinds: Mapping[str, Kind]
    words: Mapping[str, Mapping[str, str]]
    blanks: tuple[str, ...]
    totals: tuple[str, ...]


@cache
def lexicon() -> Lexicon:
    """The page, read once."""
    text = resources.files("aclf_pipeline.onboarding").joinpath("lexicon.yaml").read_text("utf-8")
    return Lexicon.model_validate(YAML(typ="safe", pure=True).load(text))


def plain(header: str) -> str:
    """A header as it is compared: NFKC, lower case, without blanks and what stands in brackets."""
    text = unicodedata.normalize("NFKC", header).strip().lower()
    return re.sub(r"\s+", "_", _BRACKETS.sub("", text).strip() or text)


def base_of(header: str) -> str | None:
    """What a numbered header is numbered on; None of one without a number behind it."""
    name = plain(header)
    bare = _NUMBERED.sub("", name)
    return bare if bare != name else None


def compare(header: str, words: Words) -> tuple[float, str] | None:
    """How well a header fits, from 0 to 1, and why; None when not at all."""
    name = plain(header)
    known = [plain(word) for word in words.names]
    if name in known:
        return 1.0, "the name is a usual one"
    if (bare := base_of(header)) in known:
        return 0.9, f"a numbered '{bare}', which is a usual name"
    if part := next((part for part in words.parts if plain(part) in name), None):
        return 0.7, f"the name holds '{part}'"
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR) if len(name) > 3 else []
    return (0.5, f"the name is near '{near[0]}'") if near else None
