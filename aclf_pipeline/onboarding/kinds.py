"""Forms of files, and the canonical kinds each seems to hold: files with like headers are one form.

What does not belong here: reading files (`files`) and the profile of a column (`columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.onboarding.columns import CLEAR, Profile, profiles
from aclf_pipeline.onboarding.files import Delivered
from aclf_pipeline.onboarding.lexicon import compare, lexicon

_ALIKE = 0.9
"""Share of header names two files have in common to be one form: a column put in place of another makes two."""
_PERIOD_WORDS = 4
_LETTERS = re.compile(r"[^\W\d_]")
_SLUG = re.compile(r"[^a-z0-9]+")
_TEMPORAL = ("Datetime", "Date")


@dataclass(frozen=True)
class Guess:
    """A column of a form that seems to be a column of a canonical kind; `score` from 0 to 1."""

    target: str
    column: str
    score: float
    because: str


@dataclass(frozen=True)
class GuessedKind:
    """A canonical kind a form seems to hold, by which columns."""

    kind: str
    guesses: tuple[Guess, ...]

    def column_of(self, target: str) -> str | None:
        """The best guess for a column of the contract."""
        return next((guess.column for guess in self.guesses if guess.target == target), None)


@dataclass
class Form:
    """Files with like headers: its key in source.yaml, what file names begin with, its columns and guessed kinds."""

    key: str
    kind: str
    files: list[Delivered]
    columns: list[Profile] = field(default_factory=list)
    kinds: list[GuessedKind] = field(default_factory=list)
    form_has: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of all its files."""
        return sum(file.rows.height for file in self.files)


def forms_of(files: Sequence[Delivered]) -> list[Form]:
    """Forms in the order of their first file, with profiles and guesses."""
    clusters: list[list[Delivered]] = []
    for file in files:
        near = next((c for c in clusters if _is_like(file, c[0]) and _token(file, files) == _token(c[0], files)), None)
        if near is None:
            clusters.append([file])
        else:
            near.append(file)
    forms = [Form(f"form_{number}", _token(cluster[0], files), cluster) for number, cluster in enumerate(clusters, 1)]
    for form in forms:
        form.columns = profiles([file.rows for file in form.files])
        form.kinds = _kinds(form.columns)
        form.form_has = _tell_apart(form, [other for other in forms if other is not form and other.kind == form.kind])
    _name(forms)
    return forms


def _is_like(file: Delivered, other: Delivered) -> bool:
    one, two = set(file.header), set(other.header)
    return file.format == other.format and len(one & two) / len(one | two) >= _ALIKE


def _token(file: Delivered, files: Sequence[Delivered]) -> str:
    """What the names of files of this kind begin with: the part before the first `_`, or all before the first `.`.

    The short form is taken where what follows it, in every file that begins so, is a period.
    """
    stem = file.name.split(".", 1)[0]
    short = stem.split("_", 1)[0]
    rest = [o.name.split(".", 1)[0][len(short) :] for o in files if o.name.split(".", 1)[0].split("_", 1)[0] == short]
    return short if all(not part or _is_period(part) for part in rest) else stem


def _is_period(rest: str) -> bool:
    """Digits with hardly a word beside them, as `_2010-2018` or `_incr_20190115`."""
    return any(sign.isdigit() for sign in rest) and len(_LETTERS.findall(rest)) <= _PERIOD_WORDS


def _tell_apart(form: Form, others: Sequence[Form]) -> tuple[str, ...]:
    """One column that every file of this form has and no file of another form of the kind."""
    if not others:
        return ()
    shared = set.intersection(*(set(file.header) for file in form.files))
    foreign = set().union(*(file.header for other in others for file in other.files))
    own = [name for name in form.files[0].header if name in shared - foreign]
    return tuple(own[-1:])


def _name(forms: Iterable[Form]) -> None:
    used: set[str] = set()
    for form in forms:
        word = _SLUG.sub("_", form.kind.lower()).strip("_")
        base = word if word and word[0].isalpha() else "_and_".join(k.kind for k in form.kinds[:2]) or "unknown"
        number = 1
        while (key := base if number == 1 else f"{base}_{number}") in used:
            number += 1
        used.add(key)
        form.key = key


def _kinds(columns: Sequence[Profile]) -> list[GuessedKind]:
    """Every kind whose needs are met, the best borne out first."""
    found = []
    for name, kind in lexicon().kinds.items():
        types = {promise.name: promise.dtype for promise in promises(KINDS[name])}
        guesses = sorted(
            (
                Guess(target, column.name, *match)
                for target, words in kind.columns.items()
                for column in columns
                if (match := _borne_out(column, compare(column.name, words), types.get(target, "String")))
            ),
            key=lambda guess: -guess.score,
        )
        targets = {guess.target for guess in guesses}
        if all(any(option in targets for option in need.split("|")) for need in kind.needs):
            found.append(GuessedKind(name, tuple(guesses)))
    return found


def _borne_out(column: Profile, match: tuple[float, str] | None, dtype: str) -> tuple[float, str] | None:
    """A match of names, held against the cells: what should be a time and holds none is no match."""
    if match is None or not dtype.startswith(_TEMPORAL) or not column.filled:
        return match
    dated = sum(share for shape, share in column.shapes.items() if shape.startswith(("%", "Oracle", "a month")))
    if dated < CLEAR:
        return None
    return match[0], f"{match[1]}; {dated:.1%} of its cells are dates or times"
