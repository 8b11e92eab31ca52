"""`draft.md`: what was read, what is guessed, what could not be matched, and what a person must do, in that order.

What does not belong here: cells of columns that may name somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.warehouse.drafts import AUTHOR, MARK

if TYPE_CHECKING:
    from aclf_pipeline.onboarding.draft import Draft
    from aclf_pipeline.onboarding.kinds import Form


def worklist(draft: Draft) -> str:
    """The page a person works through."""
    return "\n".join([*_head(draft), *_files(draft), *_forms(draft), *_codes(draft), *_open(draft)]) + "\n"


def _head(draft: Draft) -> Iterator[str]:
    yield from (
        f"# Draft of source `{draft.name}`",
        "",
        "Made by `aclf source new`. Everything here and in this folder is a guess. `aclf refresh` and `aclf doctor`"
        " refuse the source until:",
        "",
        f"1. every line with `{MARK}` in `source.yaml` and the queries was settled and the mark taken away;",
        "2. the privacy class of **every** column was looked at by somebody who knows the hospital;",
        f"3. every row of the mappings was checked, and its author, `{AUTHOR}`, replaced by yours;",
        "4. `draft: true` was taken out of `source.yaml`.",
        "",
    )


def _files(draft: Draft) -> Iterator[str]:
    yield from ("## Files", "", "| file | form | rows | how it was read |", "|---|---|---:|---|")
    for form in draft.forms:
        for file in form.files:
            yield f"| {_cell(file.path)} | {form.key} | {file.rows.height:,} | {_cell('; '.join(file.evidence))} |"
    yield ""
    if draft.batches.manifest:
        yield f"`{draft.batches.manifest}` seems to be the list of files of each batch. {draft.batches.because}."
    else:
        yield f"No list of files was met inside the batches. {draft.batches.because.removeprefix(MARK).strip()}."
    yield ""
    if draft.unread:
        yield from ("### Not read", "", "| file | why |", "|---|---|")
        yield from (f"| {_cell(unread.path)} | {_cell(unread.reason)} |" for unread in draft.unread)
        yield ""


def _forms(draft: Draft) -> Iterator[str]:
    for form in draft.forms:
        kinds = ", ".join(kind.kind for kind in form.kinds) or "no canonical kind: nothing of it would be used"
        yield from (
            f"## Form `{form.key}`",
            "",
            f"{len(form.files)} files, {form.rows:,} rows. Seems to hold: {kinds}.",
            "",
        )
        yield from ("| column | class | filled | used for | why this class |", "|---|---|---:|---|---|")
        used = _used(form)
        for column in form.columns:
            sure = "" if column.is_sure else "**check**: "
            yield (
                f"| {_cell(column.name)} | {column.phi}{f' {column.as_}' if column.as_ else ''} | {column.share} |"
                f" {_cell(used.get(column.name, '(nothing)'))} | {sure}{_cell(column.evidence)} |"
            )
        yield ""


def _used(form: Form) -> dict[str, str]:
    """Column → the contract's columns it is guessed for, weak guesses marked."""
    found: dict[str, list[str]] = {}
    for kind in form.kinds:
        for guess in kind.guesses:
            if kind.column_of(guess.target) == guess.column:
                weak = "" if guess.score >= 1 else f" ({guess.because})"
                found.setdefault(guess.column, []).append(f"{kind.kind}.{guess.target}{weak}")
    return {column: ", ".join(targets) for column, targets in found.items()}


def _codes(draft: Draft) -> Iterator[str]:
    for key, mappings in draft.mappings.items():
        yield from (f"## Codes and units of `{key}`", "")
        if mappings.refused:
            yield from (f"Nothing was listed: {mappings.refused}.", "")
            continue
        codes, units = mappings.covered
        yield f"Candidates cover {codes:.1%} of the rows by code, {units:.1%} by unit (a blank unit counts as read)."
        yield ""
        open_ = [one for one in mappings.codes if one.analyte is None]
        if open_:
            yield from ("Without a candidate:", "", "| code | name | unit | rows | share |", "|---|---|---|---:|---:|")
            yield from (
                f"| {_cell(one.code)} | {_cell(one.name)} | {_cell(one.unit_text)} | {one.rows:,} | {one.share:.2%} |"
                for one in open_
            )
            yield ""
        doubtful = [
            one
            for one in mappings.codes
            if one.analyte and any(w in one.because for w in ("WEAK", "CHECK", "NOT", "while"))
        ]
        if doubtful:
            yield from ("To look at first:", "", "| code | name | unit | guessed | why |", "|---|---|---|---|---|")
            yield from (
                f"| {_cell(one.code)} | {_cell(one.name)} | {_cell(one.unit_text)} | {one.analyte} {one.loinc or ''} |"
                f" {_cell(one.because)} |"
                for one in doubtful
            )
            yield ""
        if unread := [one for one in mappings.units if one.unit is None]:
            told = ", ".join(f"`{one.text}` ({one.rows:,} rows)" for one in unread)
            yield from (f"Units no rule reads: {told}", "")


def _open(draft: Draft) -> Iterator[str]:
    absent = [kind for kind in KINDS if kind not in draft.kinds]
    yield from ("## Not matched", "")
    yield f"- Kinds no file seems to hold: {', '.join(absent) or 'none'}."
    unused = [form.key for form in draft.forms if not form.kinds]
    yield f"- Forms that seem to hold no kind: {', '.join(unused) or 'none'}."
    for form in draft.forms:
        used = _used(form)
        names = [column.name for column in form.columns if column.name not in used and column.phi in ("-", "A", "F")]
        if names:
            yield f"- Columns of `{form.key}` used for nothing: {', '.join(names)}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
