"""The way in: every complete batch, in order, whole or not at all, into `raw.*` and the ledger.

A batch is loaded in one transaction. A batch with a blocking problem leaves raw tables and `quality.files` as they were
and holds back every later batch; it is cured by a folder ending in `_r<N>`. What is in already is known by the SHA-256
of its content and is not loaded again.

What does not belong here: reading a file (`reading`) and judging its rows (quality).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl

from aclf_pipeline.warehouse import ledger
from aclf_pipeline.warehouse.batches import Batch, Promise, batch_order, check_promise, check_rows, contents, discover
from aclf_pipeline.warehouse.connection import Warehouse, quoted
from aclf_pipeline.warehouse.findings import Finding, RefusedError
from aclf_pipeline.warehouse.privacy import Privacy
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.reading import FileContent, read_file
from aclf_pipeline.warehouse.row_id import pack
from aclf_pipeline.warehouse.sources import Source

State = Literal["loaded", "known", "incomplete", "blocked", "held_back", "unreadable_name"]
Progress = Callable[[str, int, int], None]
"""Called with the file in hand, the bytes of the delivery read so far, and all its bytes."""

_NUMBER_IN_NAME = re.compile(r"(?<!\d)(?:\d{7}|1[3-9]\d{9}|\d{15}|\d{17}[\dXx])(?!\d)")
_AGAIN = "Deliver the whole batch again as a folder ending in _r2 (or the next number)."


@dataclass(frozen=True)
class FileProblem:
    """Something found at the door. `file` is None where its name holds an identifier, or the whole batch is meant."""

    batch: str
    file: str | None
    line: int | None
    rule_id: str
    message: str
    advice: str
    action: str


@dataclass(frozen=True)
class BatchResult:
    """What became of one batch folder."""

    name: str
    seq: int | None
    state: State
    problems: list[FileProblem] = field(default_factory=list)


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did: `files_skipped` were known already, in batches known or new."""

    batches: list[BatchResult]
    files_loaded: int
    rows_loaded: int
    files_skipped: int


class _BlockedError(Exception):
    """Ends a batch's transaction."""


def ingest(
    wh: Warehouse,
    source: Source,
    exports: Path,
    key: PseudonymKey,
    clock: datetime,
    progress: Progress | None = None,
) -> IngestReport:
    """Take in every complete batch that is not in yet. `exports` holds the source's batch folders; it is only read.

    `clock` dates the ledger's lines and nothing else. A second call loads nothing. Raises UserError when there is no
    exports folder; what is wrong with a batch is in the report and in `quality.file_problems`.
    """
    found = discover(source, exports)
    with wh.transaction():
        _prepare(wh, source)
    door = _Door(wh, source, Path(exports), Privacy(source, key, _known_pseudonyms(wh, source)), clock, progress)
    door.expect(batch for batch in found.batches if batch.is_complete)
    results = [door.unreadable(name) for name in found.unreadable]
    held_by: str | None = None
    for batch in found.batches:
        results.append(door.take(batch, held_by))
        if results[-1].state == "blocked":
            held_by = held_by or batch.name
    with wh.transaction():
        loaded = [name for name, state in ledger.batch_states(wh, source.id).items() if state == "loaded"]
        ledger.order_batches(wh, source.id, sorted(loaded, key=lambda name: batch_order(source, name)))
        seqs = ledger.batch_seqs(wh, source.id)
    placed = [BatchResult(r.name, seqs.get(r.name), r.state, r.problems) for r in results]
    return IngestReport(placed, door.files_loaded, door.rows_loaded, door.files_skipped)


def _prepare(wh: Warehouse, source: Source) -> None:
    """Every raw table exists, with every stored column, also when no file has come yet."""
    for form_id, form in source.files.items():
        table = quoted(source.raw_table(form_id))
        columns = ", ".join(f"{quoted(name)} varchar" for name in form.stored)
        wh.execute(f"create table if not exists {table} (_row_id bigint not null, {columns})")
        there = {name for name, _ in wh.columns(source.raw_table(form_id))}
        for name in form.stored:
            if name not in there:
                wh.execute(f"alter table {table} add column {quoted(name)} varchar")


def _known_pseudonyms(wh: Warehouse, source: Source) -> dict[str, set[str]]:
    """Pseudonyms that came with earlier batches, by identifier: record numbers and patients' names."""
    known: dict[str, set[str]] = {"record_number": set(), "name": set()}
    for form_id, form in source.files.items():
        table = quoted(source.raw_table(form_id))
        for column in form.columns:
            if column.as_ in known:
                for name in (column.name, f"{column.name}__padded"):
                    if name in form.stored:
                        known[column.as_] |= {
                            r for (r,) in wh.rows(f"select distinct {quoted(name)} from {table}") if r
                        }
    return known


@dataclass
class _Door:
    """Takes in batch after batch, and counts."""

    wh: Warehouse
    source: Source
    exports: Path
    privacy: Privacy
    clock: datetime
    progress: Progress | None
    files_loaded: int = 0
    rows_loaded: int = 0
    files_skipped: int = 0
    bytes_read: int = 0
    bytes_expected: int = 0

    def expect(self, batches: Iterable[Batch]) -> None:
        """Add up the bytes that lie before us."""
        self.bytes_expected = sum(p.stat().st_size for b in batches for p in b.folder.iterdir() if p.is_file())

    def unreadable(self, name: str) -> BatchResult:
        """Report a folder whose name cannot be read."""
        shown = name if _NUMBER_IN_NAME.search(name) is None else "(name not shown)"
        problem = FileProblem(
            shown, None, None, "batch_name", "The folder's name is not that of a batch; it was not read",
            "Name batch folders as agreed, e.g. 20190115_incr or 20190115_incr_r2.", "flag",
        )  # fmt: skip
        return self._settle(shown, "unreadable_name", [problem])

    def take(self, batch: Batch, held_by: str | None) -> BatchResult:
        """Load a batch, or say why not."""
        state = ledger.batch_states(self.wh, self.source.id).get(batch.name)
        if not batch.is_complete:
            return (
                BatchResult(batch.name, None, "known") if state == "loaded" else self._settle(batch.name, "incomplete")
            )
        if state == "loaded":
            return self._look_again(batch)
        if held_by is not None:
            problem = FileProblem(
                batch.name,
                None,
                None,
                "held_back",
                f"It waits until batch {held_by} has been put right",
                _AGAIN,
                "block",
            )
            return self._settle(batch.name, "held_back", [problem])
        loading = _Loading(self, batch)
        try:
            with self.wh.transaction():
                outcome = loading.run()
        except _BlockedError:
            return self._settle(batch.name, "blocked", loading.problems())
        self.files_loaded += loading.files
        self.rows_loaded += loading.rows
        self.files_skipped += loading.skipped
        return BatchResult(batch.name, None, outcome, loading.problems())

    def _look_again(self, batch: Batch) -> BatchResult:
        """A batch that is in: its files are never changed. A change is told, and what is in stays."""
        was = ledger.batch_contents(self.wh, self.source.id, batch.name)
        now = {}
        for path in contents(self.source, batch).files:
            if self.source.forms_of(path.name):
                now[path.name] = hashlib.sha256(self.read(path)).hexdigest()
        self.files_skipped += len(now)
        if was == now:
            return BatchResult(batch.name, None, "known")
        changed = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
        problems = [
            FileProblem(
                batch.name, f"{batch.name}/{name}", None, "file_changed",
                "It was added, removed or changed after the batch had been taken in", _AGAIN, "block",
            )
            for name in changed
        ]  # fmt: skip
        with self.wh.transaction():
            ledger.write_problems(self.wh, self.source.id, batch.name, _rows(problems), only_rule="file_changed")
        return BatchResult(batch.name, None, "blocked", problems)

    def _settle(self, name: str, state: State, problems: list[FileProblem] | None = None) -> BatchResult:
        with self.wh.transaction():
            ledger.write_batch(self.wh, self.source.id, name, state, self.clock, len(problems or []))
            ledger.write_problems(self.wh, self.source.id, name, _rows(problems or []))
        return BatchResult(name, None, state, problems or [])

    def read(self, path: Path) -> bytes:
        """The bytes of a file, counted."""
        if self.progress is not None:
            self.progress(path.name, self.bytes_read, self.bytes_expected)
        data = path.read_bytes()
        self.bytes_read += len(data)
        return data


class _Loading:
    """One batch on its way in, inside its transaction."""

    def __init__(self, door: _Door, batch: Batch) -> None:
        self._door, self._wh, self._source, self._batch = door, door.wh, door.source, batch
        self._found: list[tuple[str | None, Finding]] = []
        self._entries: list[ledger.FileEntry] = []
        self._names: list[str] = []
        self.files = self.rows = self.skipped = 0

    def run(self) -> State:
        """Load everything, or raise `_BlockedError`."""
        for replaced in self._batch.replaces:
            ledger.forget_batch(self._wh, self._source.id, replaced)
        inside = contents(self._source, self._batch)
        self._found += inside.findings
        self._names = sorted({path.name for path in inside.files} | set(inside.promises))
        known = ledger.known_files(self._wh, self._source.id)
        first_names = {(sha, file.name) for sha, file in known.items()}
        taken: list[tuple[str, str]] = []
        for path in sorted(inside.files, key=self._place):
            if sha := self._take_file(path, inside.promises.get(path.name), known):
                taken.append((sha, path.name))
        self._check_names()
        if any(finding.action == "block" for _, finding in self._found):
            raise _BlockedError
        resent = bool(taken) and all(pair in first_names for pair in taken)
        return self._finish("known" if resent else "loaded")

    def problems(self) -> list[FileProblem]:
        """What was found, without any name that holds an identifier."""
        return [
            FileProblem(
                self._batch.name, self._shown(name), finding.line, finding.rule_id, finding.message, finding.advice,
                finding.action,
            )
            for name, finding in self._found
        ]  # fmt: skip

    def _shown(self, name: str | None) -> str | None:
        return None if name is None or self._is_telling(name) else f"{self._batch.name}/{name}"

    def _is_telling(self, name: str) -> bool:
        return _NUMBER_IN_NAME.search(name) is not None or self._door.privacy.names_in(name)

    def _check_names(self) -> None:
        telling = sum(self._is_telling(name) for name in self._names)
        if telling:
            message = f"The names of {telling} files of this batch hold an identifier of a patient; they are not shown"
            self._found.append((None, Finding("phi_in_filename", message, f"Rename the files. {_AGAIN}")))

    def _place(self, path: Path) -> tuple[int, str]:
        """Front pages and whatever the source's page lists first come first: they tell the record numbers."""
        forms = self._source.forms_of(path.name)
        order = list(self._source.files)
        return (min((order.index(form) for form in forms), default=len(order)), path.name)

    def _take_file(self, path: Path, promise: Promise | None, known: dict[str, ledger.KnownFile]) -> str | None:
        """Read one file and store it; gives its SHA-256, or None when it is refused or not opened."""
        forms = self._source.forms_of(path.name)
        if not forms:
            message = f"It is of no kind that source '{self._source.id}' lists; it was not opened"
            advice = "List its kind in source.yaml if a study needs it; else nothing need be done."
            self._found.append((path.name, Finding("file_unknown", message, advice, action="flag")))
            return None
        data = self._door.read(path)
        sha = hashlib.sha256(data).hexdigest()
        if damage := check_promise(promise, len(data), sha):
            self._found += [(path.name, finding) for finding in damage]
            return None
        if sha in known:
            self._skip(path, sha, len(data), known[sha])
            return sha
        try:
            content = read_file(data, path.name, forms, self._door.privacy)
        except RefusedError as refused:
            self._found += [(path.name, finding) for finding in refused.findings]
            return None
        found = [*content.findings, *check_rows(promise, content.least, content.most)]
        self._found += [(path.name, finding) for finding in found]
        if not any(finding.action == "block" for _, finding in self._found):
            known[sha] = self._store(path, sha, len(data), content)
        return sha

    def _skip(self, path: Path, sha: str, size: int, same: ledger.KnownFile) -> None:
        self.skipped += 1
        message = f"Its content came before, in batch {same.batch}; it was not loaded again"
        finding = Finding("file_resent_identical", message, "Nothing need be done.", action="repair")
        self._found.append((path.name, finding))
        self._enter(path, sha, size, same.kind, same.raw_table, same.form, columns=same.columns, same_as=same.file_id)

    def _store(self, path: Path, sha: str, size: int, content: FileContent) -> ledger.KnownFile:
        table = self._source.raw_table(content.form_id)
        entry = self._enter(path, sha, size, content.form.kind, table, content.form_id, content=content)
        for frame in content.frames(entry.file_id):
            self._wh.append(table, frame)
        ledger.write_rejects(self._wh, _reject_frame(entry.file_id, table, content))
        ledger.write_receipts(self._wh, _receipt_frame(entry.file_id, table, content))
        self.files += 1
        self.rows += content.rows
        return ledger.KnownFile(
            entry.file_id, path.name, self._batch.name, entry.kind, table, entry.form, entry.columns
        )

    def _enter(
        self, path: Path, sha: str, size: int, kind: str, table: str, form: str,
        *, content: FileContent | None = None, columns: int = 0, same_as: int | None = None,
    ) -> ledger.FileEntry:  # fmt: skip
        entry = ledger.FileEntry(
            file_id=ledger.next_file_id(self._wh), source=self._source.id, batch=self._batch.name, batch_seq=None,
            path=f"{self._batch.name}/{path.name}", name=path.name, kind=kind, raw_table=table, form=form, sha256=sha,
            bytes=size,
            encoding=content.encoding if content else None,
            line_end=content.line_end if content else None,
            columns=content.columns if content else columns,
            rows=content.rows if content else 0,
            is_snapshot=self._source.files[form].snapshot,
            state="loaded" if content else "same_content",
            same_as=same_as, loaded_at=self._door.clock,
            sheets=content.sheet_names if content else None,
        )  # fmt: skip
        ledger.write_file(self._wh, entry)
        return entry

    def _finish(self, state: State) -> State:
        """Write what became of the batch. A batch sent again whole leaves one line, and no files."""
        if state == "known":
            ledger.forget_batch(self._wh, self._source.id, self._batch.name)
            self._found = [
                (name, finding) for name, finding in self._found if finding.rule_id != "file_resent_identical"
            ]
            message = f"All its {self.skipped} files came before, under the same names; nothing was loaded"
            self._found.append((None, Finding("batch_resent", message, "Nothing need be done.", action="repair")))
        problems = self.problems()
        ledger.write_batch(self._wh, self._source.id, self._batch.name, state, self._door.clock, len(problems))
        ledger.write_problems(self._wh, self._source.id, self._batch.name, _rows(problems))
        return state


def _rows(problems: Iterable[FileProblem]) -> list[tuple[str | None, int | None, str, str, str, str]]:
    return [(p.file, p.line, p.rule_id, p.message, p.advice, p.action) for p in problems]


def _reject_frame(file_id: int, table: str, content: FileContent) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (pack(file_id, reject.line, reject.sheet), table, reject.rule_id, reject.reason, reject.pieces)
            for reject in content.rejects
        ],
        schema=ledger.REJECTS,
        orient="row",
    )


def _receipt_frame(file_id: int, table: str, content: FileContent) -> pl.DataFrame:
    return pl.DataFrame(
        [(pack(file_id, r.line, r.sheet), table, r.column, r.rule_id, r.seen, r.became) for r in content.receipts],
        schema=ledger.RECEIPTS,
        orient="row",
    )
