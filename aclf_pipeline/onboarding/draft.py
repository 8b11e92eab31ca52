"""A draft of a source folder: source.yaml, a query per guessed kind, candidate mappings, and what a person must do.

Everything in it is a guess with its evidence, and marked as one; the warehouse refuses the folder while a mark is left.
An existing folder is never written to. No cell of a column that may name somebody is written down.

What does not belong here: guessing (`columns`, `kinds`, `codes`) and refusing (warehouse/drafts).
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.errors import UserError
from aclf_pipeline.onboarding.batches import BatchGuess, batches_of
from aclf_pipeline.onboarding.codes import Mappings, map_codes
from aclf_pipeline.onboarding.columns import Profile, is_code
from aclf_pipeline.onboarding.files import Delivered, Unread, files_in
from aclf_pipeline.onboarding.kinds import Form, forms_of
from aclf_pipeline.onboarding.lexicon import lexicon
from aclf_pipeline.onboarding.queries import query
from aclf_pipeline.onboarding.worklist import worklist
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.warehouse.drafts import MARK

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_PLAIN_YAML = re.compile(r"^[^\W\d][\w-]*$")


@dataclass
class Draft:
    """What was found in a folder of exports. `mappings` by form key."""

    name: str
    files: list[Delivered]
    unread: list[Unread]
    forms: list[Form]
    batches: BatchGuess
    blanks: dict[str, int] = field(default_factory=dict)
    mappings: dict[str, Mappings] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, list[Form]]:
        """Canonical kind → the forms that seem to hold it."""
        return {kind: held for kind in KINDS if (held := [f for f in self.forms if kind in {k.kind for k in f.kinds}])}


def new_source(name: str, exports: Path, sources: Path, protocol: Protocol) -> tuple[Path, Draft]:
    """Look at a folder of exports and write the draft of source `name` into `sources`; gives where, and what was found.

    Raises UserError when the name cannot be one, the folder is there already, or no file could be read.
    """
    folder = sources / name
    if not _NAME.fullmatch(name):
        raise UserError(f"source: '{name}' cannot be a name. It begins with a letter and has a-z, 0-9 and _ only.")
    if folder.exists():
        raise UserError(f"source: '{folder}' is there already and is not written over. Choose another name.")
    if not exports.is_dir():
        raise UserError(f"source: '{exports}' is not a folder. Say with --from where the exports are.")
    draft = look_at(name, exports, protocol)
    if not draft.forms:
        reasons = [f"  {unread.path}: {unread.reason}" for unread in draft.unread]
        raise UserError(["source: no file of the folder could be read.", *reasons])
    sources.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=sources))
    try:
        for file, text in texts_of(draft):
            (beside / file).write_text(text, "utf-8")
        beside.chmod(sources.stat().st_mode & 0o777)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder, draft


def look_at(name: str, exports: Path, protocol: Protocol) -> Draft:
    """Read every file and guess; nothing is written."""
    found = list(files_in(exports))
    files = [one for one in found if isinstance(one, Delivered)]
    batches, manifests = batches_of(files)
    files = [file for file in files if file.path not in manifests]
    forms = forms_of(files) if files else []
    draft = Draft(name, files, [one for one in found if isinstance(one, Unread)], forms, batches)
    for file in files:
        for column in (one for one in file.rows.iter_columns() if not is_code(one.name)):
            for word, count in column.filter(column.is_in(lexicon().blanks)).value_counts().iter_rows():
                draft.blanks[word] = draft.blanks.get(word, 0) + count
    for form in forms:
        labs = next((kind for kind in form.kinds if kind.kind == "labs"), None)
        if labs is not None:
            draft.mappings[form.key] = map_codes(form, labs, protocol)
    return draft


def texts_of(draft: Draft) -> Iterator[tuple[str, str]]:
    """Every file of the draft, by its name."""
    yield "source.yaml", _page(draft)
    yield "draft.md", worklist(draft)
    for kind, forms in draft.kinds.items():
        yield f"{draft.name}__{kind}.sql", query(draft.name, kind, forms)
    if any(one.codes for one in draft.mappings.values()):
        yield f"{draft.name}__lab_codes.csv", _codes(draft)
        yield f"{draft.name}__units.csv", _units(draft)


def _page(draft: Draft) -> str:
    identifiers = dict.fromkeys(column.as_ for form in draft.forms for column in form.columns if column.as_)
    met = ", ".join(f"{_quoted(word)} met {count:,} times" for word, count in draft.blanks.items()) or "none met"
    blanks = ", ".join(_quoted(word) for word in ["", *(word for word in draft.blanks if word)])
    lines = [
        f"# {MARK} made by `aclf source new`. Every line is a guess; its evidence stands behind it. See draft.md.",
        "# PHI classes: K hashed, D not stored, Q year and month, F redacted, A accession number, '-' no identifier.",
        "draft: true",
        f"id: {draft.name}",
        f"says: '{MARK} say what these exports are, of which years, and from where'",
        *draft.batches.lines(),
        f"blanks: [{blanks}]  # guess: {met}; not looked for among codes, where NA may be sodium",
        "identifiers:" if identifiers else "identifiers: {}",
        *(f"  {name}: {{}}  # {MARK} give the form of a sound value as pattern" for name in identifiers),
        "files:",
    ]
    for form in draft.forms:
        lines += _form(form)
    absent = [kind for kind in KINDS if kind not in draft.kinds]
    lines += ["absent:"] if absent else []
    lines += [
        f"  {kind}: '{MARK} no file seems to hold it; say why there is none, or write its query'" for kind in absent
    ]
    return "\n".join(lines) + "\n"


def _form(form: Form) -> Iterator[str]:
    kinds = ", ".join(kind.kind for kind in form.kinds) or "no canonical kind"
    first = form.files[0]
    yield f"  {form.key}:  # guess: {len(form.files)} files, {form.rows:,} rows; seems to hold {kinds}"
    yield f"    kind: {_quoted(form.kind)}"
    yield f"    says: '{MARK} say what one row is'"
    yield f"    format: {first.format}"
    if first.delimiter not in (None, ",", "\t"):
        yield f"    delimiter: '{first.delimiter}'"
    if form.form_has:
        told = ", ".join(map(_quoted, form.form_has))
        yield f"    form_has: [{told}]  # guess: no other form of '{form.kind}' has it"
    if first.format == "xlsx":
        sheets = first.sheets
        totals = f", totals: {_quoted(sheets.totals)}" if sheets.totals else ""
        merged = ", fill_down_merged: true" if sheets.fill_down_merged else ""
        names = ", ".join(map(_quoted, sheets.has_columns))
        yield f"    sheets: {{has_columns: [{names}], header_row: {sheets.header_row}{totals}{merged}}}"
    yield "    columns:"
    shared = set.intersection(*(set(file.header) for file in form.files))
    for column in form.columns:
        yield _column(column, in_every_file=column.name in shared)


def _column(column: Profile, *, in_every_file: bool) -> str:
    as_ = f", as: {column.as_}" if column.as_ else ""
    needed = "" if in_every_file or column.phi == "D" else ", required: false"
    doubt = "" if column.is_sure else " CHECK"
    told = f"guess{doubt}: {column.evidence}; filled {column.share}"
    return f"      - {{name: {_quoted(column.name)}, phi: '{column.phi}'{as_}{needed}}}  # {told}"


def _quoted(text: str | None) -> str:
    word = text or ""
    return (
        word
        if _PLAIN_YAML.fullmatch(word) and word.lower() not in ("null", "yes", "no", "on", "off", "nan")
        else ("'" + word.replace("'", "''") + "'")
    )


def _codes(draft: Draft) -> str:
    rows = [
        (one.code, one.name, one.unit_text, one.unit or "", one.loinc or "", one.analyte or "", one.rows,
         f"{one.share:.5f}", one.because, "draft")
        for mappings in draft.mappings.values() for one in mappings.codes
    ]  # fmt: skip
    header = ("code", "name", "unit_text", "unit", "loinc", "analyte", "rows", "share", "because", "author")
    return _csv(header, rows)


def _units(draft: Draft) -> str:
    seen: dict[str, tuple[object, ...]] = {}
    for mappings in draft.mappings.values():
        for one in mappings.units:
            row = (one.text, one.unit or "", one.rows, f"{one.share:.5f}", one.because, "draft")
            seen.setdefault(one.text, row)
    return _csv(("unit_text", "unit", "rows", "share", "because", "author"), list(seen.values()))


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return stream.getvalue()


def figures(draft: Draft) -> Mapping[str, str]:
    """What to tell on the command line: how much was met and how much is covered."""
    columns = [column for form in draft.forms for column in form.columns]
    told = {
        "files": f"{len(draft.files)} read, {len(draft.unread)} not",
        "forms": ", ".join(f"{form.key} ({form.rows:,} rows)" for form in draft.forms),
        "kinds": ", ".join(draft.kinds) or "none",
        "columns": f"{len(columns)}, of which {sum(c.phi in 'KDQF' for c in columns)} are proposed as identifying",
    }
    for key, mappings in draft.mappings.items():
        codes, units = mappings.covered
        told[f"codes of {key}"] = mappings.refused or (
            f"{sum(bool(one.analyte) for one in mappings.codes)} of {len(mappings.codes)} have a candidate,"
            f" {codes:.1%} of the rows; units {units:.1%}"
        )
    return told
