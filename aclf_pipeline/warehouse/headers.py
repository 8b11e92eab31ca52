"""Which columns of a delivered header are the listed ones: by name or alias, in any order; and what is missing.

What does not belong here: the cells below the header.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aclf_pipeline.warehouse.findings import Finding, RefusedError
from aclf_pipeline.warehouse.sources import FileForm, normal_name

_LONG_NUMBER = re.compile(r"\d{7}")
_LONGEST_SHOWN = 30
_AGAIN = "Correct the export's column names (or list the new name in source.yaml), and deliver the batch as _r<N>."


@dataclass(frozen=True)
class Layout:
    """The form of a file and, for each listed column that is there, its place in the header."""

    form_id: str
    form: FileForm
    places: Mapping[str, int]
    findings: tuple[Finding, ...] = ()


def match_header(header: Sequence[str], forms: Mapping[str, FileForm], line: int | None = 1) -> Layout:
    """Read a header, which stands on a line (None: it stands on none), as one of the forms its kind may have.

    Raises RefusedError: `column_missing`, `column_renamed` (with the nearest listed column) or `column_repeated`. An
    unlisted column is a flag, `column_extra`; it is not stored. Header texts are quoted only where they look like
    column names, so that a file without a header does not put cells into a message.
    """
    names = [normal_name(cell) for cell in header]
    form_id, form = _form(names, forms, line)
    known = [name if name in form.by_spelling else None for name in names]
    if 2 * sum(name is not None for name in known) < sum(column.is_required for column in form.columns):
        raise RefusedError(
            Finding(
                "column_missing",
                f"The first line is not the header of '{form.kind}': of {len(form.columns)} listed columns it names"
                f" {sum(name is not None for name in known)}",
                _AGAIN,
                line,
            )
        )
    places: dict[str, int] = {}
    repeated = []
    for place, name in enumerate(names):
        if (column := form.by_spelling.get(name)) is not None:
            repeated += [column.name] if column.name in places else []
            places.setdefault(column.name, place)
    problems = [
        Finding("column_repeated", f"The column '{name}' stands twice in the header", _AGAIN, line)
        for name in sorted(set(repeated))
    ]
    extra = [place for place, name in enumerate(names) if name and name not in form.by_spelling]
    missing = [column.name for column in form.columns if column.is_required and column.name not in places]
    lost, extra = _renamed(names, extra, missing, form, line)
    problems += lost
    if problems:
        raise RefusedError(*problems)
    return Layout(form_id, form, places, tuple(_extra(names[place], form, line) for place in extra))


def _form(names: Sequence[str], forms: Mapping[str, FileForm], line: int | None) -> tuple[str, FileForm]:
    """The form whose telling columns are all there; the one with most of them when there are several."""
    there = set(names)

    def tells(form: FileForm) -> bool:
        return all(there & _spellings(form, column) for column in form.form_has)

    fitting = {key: form for key, form in forms.items() if tells(form)}
    if not fitting and len(forms) == 1:
        fitting = dict(forms)
    if not fitting:
        telling = " or ".join("/".join(form.form_has) for form in forms.values())
        kind = next(iter(forms.values())).kind
        raise RefusedError(
            Finding(
                "column_missing",
                f"The header is of no known form of '{kind}', which is told by {telling}",
                _AGAIN,
                line,
            )
        )
    return max(fitting.items(), key=lambda item: len(item[1].form_has))


def _spellings(form: FileForm, name: str) -> set[str]:
    column = form.by_spelling[name]
    return {column.name, *column.aliases}


def _renamed(
    names: Sequence[str], extra: list[int], missing: list[str], form: FileForm, line: int | None
) -> tuple[list[Finding], list[int]]:
    """Findings about missing columns; an unlisted name in a missing column's place is taken for its new name."""
    findings = []
    left = list(extra)
    for lost in missing:
        place = _place_of(lost, names, left, form)
        if place is None:
            findings.append(Finding("column_missing", f"The column '{lost}' is missing", _AGAIN, line))
            continue
        left.remove(place)
        message = (
            f"Column {place + 1} is headed {_shown(names[place])}, which is neither a listed name nor an alias;"
            f" the nearest listed column, '{lost}', is missing"
        )
        findings.append(Finding("column_renamed", message, _AGAIN, line))
    return findings, left


def _place_of(lost: str, names: Sequence[str], extra: Sequence[int], form: FileForm) -> int | None:
    """Where a missing column seems to stand under another name: between its listed neighbours, or by likeness."""
    order = [column.name for column in form.columns]
    at = order.index(lost)
    near = {order[at - 1] if at else None, order[at + 1] if at + 1 < len(order) else None}
    for place in extra:
        around = {_listed(names, place - 1, form), _listed(names, place + 1, form)}
        if (around & near) - {None} and around <= near | {None}:
            return place
    spelt = {names[place]: place for place in extra}
    like = difflib.get_close_matches(lost, spelt, n=1, cutoff=0.5)
    return spelt[like[0]] if like else None


def _listed(names: Sequence[str], place: int, form: FileForm) -> str | None:
    column = form.by_spelling.get(names[place]) if 0 <= place < len(names) else None
    return column.name if column else None


def _extra(name: str, form: FileForm, line: int | None) -> Finding:
    return Finding(
        "column_extra",
        f"The column {_shown(name)} is not listed for '{form.kind}'; it was not stored",
        "List it in source.yaml with its privacy class if the study needs it.",
        line,
        action="flag",
    )


def _shown(name: str) -> str:
    return "(not shown)" if len(name) > _LONGEST_SHOWN or _LONG_NUMBER.search(name) else f"'{name}'"
