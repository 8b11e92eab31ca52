"""Batch folders: which there are, in which order they count, which are complete, and what their manifests promise.

A folder `…_r<N>` replaces, whole, the folder of the same date and type with a lower N. A batch without its completing
file has not been delivered yet. A folder whose name cannot be read is not read, and is reported.

What does not belong here: reading the files (`ingest`).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from aclf_pipeline.errors import UserError
from aclf_pipeline.warehouse.decode import decode
from aclf_pipeline.warehouse.findings import Finding, RefusedError, truncated
from aclf_pipeline.warehouse.sources import Source, normal_name

_TYPE_ORDER = {"full": 0}
_AGAIN = "Deliver the whole batch again as a folder ending in _r2 (or the next number)."


Order = tuple[str, int, str, int, str]


@dataclass(frozen=True)
class Batch:
    """One batch folder. `order` sorts batches; `replaces` are the folders it stands in for."""

    name: str
    folder: Path
    order: Order
    is_complete: bool
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batches:
    """What lies in an exports folder: batches in their order, and folder names that are none."""

    batches: tuple[Batch, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Promise:
    """What a manifest says of one file."""

    name: str
    bytes: int | None
    rows: int | None
    sha256: str | None


@dataclass
class Contents:
    """The files of a batch folder, sorted by name, what its manifest promises, and what is wrong with either."""

    files: list[Path]
    promises: dict[str, Promise] = field(default_factory=dict)
    findings: list[tuple[str | None, Finding]] = field(default_factory=list)


def discover(source: Source, exports: Path) -> Batches:
    """All batches of an exports folder. A folder that holds files and no folders is itself one batch."""
    exports = Path(exports)
    if not exports.is_dir():
        raise UserError(f"exports: '{exports}' is not a folder. Put the batch folders of '{source.id}' there.")
    folders = sorted(path for path in exports.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    if not folders:
        return Batches(tuple(_single(source, exports)), ())
    latest: dict[tuple[str, int, str], list[Path]] = {}
    unreadable = []
    for folder in folders:
        if re.fullmatch(source.batches.folder, folder.name) is None:
            unreadable.append(folder.name)
        else:
            latest.setdefault(batch_order(source, folder.name)[:3], []).append(folder)
    batches = []
    for versions in latest.values():
        versions.sort(key=lambda folder: batch_order(source, folder.name))
        complete = [folder for folder in versions if _is_complete(source, folder)]
        # a replacement still under way does not yet stand in for a complete folder
        newest = (complete or versions)[-1]
        replaces = tuple(folder.name for folder in versions[: versions.index(newest)])
        batches.append(Batch(newest.name, newest, batch_order(source, newest.name), bool(complete), replaces))
    return Batches(tuple(sorted(batches, key=lambda batch: batch.order)), tuple(unreadable))


def batch_order(source: Source, name: str) -> Order:
    """The place of a batch among batches: date, type with `full` first, N; folders without these go by name."""
    found = re.fullmatch(source.batches.folder, name)
    parts = found.groupdict() if found else {}
    type_ = parts.get("type") or ""
    return (parts.get("date") or name, _TYPE_ORDER.get(type_, 1), type_, int(parts.get("n") or 0), name)


def complete_batches(source: Source, exports: Path) -> list[Batch]:
    """The batches that are there whole, in their order; none when there is no exports folder yet."""
    if not Path(exports).is_dir():
        return []
    return [batch for batch in discover(source, exports).batches if batch.is_complete]


def _single(source: Source, exports: Path) -> list[Batch]:
    if not any(path.is_file() for path in exports.iterdir()):
        return []
    return [Batch(exports.name, exports, batch_order(source, exports.name), _is_complete(source, exports))]


def _is_complete(source: Source, folder: Path) -> bool:
    return source.batches.complete_when is None or (folder / source.batches.complete_when).is_file()


def contents(source: Source, batch: Batch) -> Contents:
    """The files of a batch and the promises of its manifest; a file in only one of the two is `file_missing`."""
    manifest = source.batches.manifest
    service = {source.batches.complete_when, manifest.file if manifest else None}
    visible = [path for path in batch.folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    files = sorted(path for path in visible if path.name not in service)
    found = Contents(files)
    if manifest is None:
        return found
    try:
        found.promises = read_manifest(source, (batch.folder / manifest.file).read_bytes())
    except RefusedError as refused:
        found.findings = [(manifest.file, finding) for finding in refused.findings]
        return found
    names = {path.name for path in files}
    for name in sorted(set(found.promises) - names):
        found.findings.append(
            (name, Finding("file_missing", f"It is in {manifest.file} and not in the folder", _AGAIN))
        )
    for name in sorted(names - set(found.promises)):
        found.findings.append(
            (name, Finding("file_missing", f"It is in the folder and not in {manifest.file}", _AGAIN))
        )
    return found


def read_manifest(source: Source, data: bytes) -> dict[str, Promise]:
    """File name → promise. Raises RefusedError when the manifest cannot be read."""
    manifest = source.batches.manifest
    if manifest is None:
        return {}
    rows = list(csv.reader(io.StringIO(decode(data).text.decode("utf-8"), newline="")))
    header = [normal_name(cell) for cell in rows[0]] if rows else []
    asked = (manifest.name, manifest.bytes, manifest.rows, manifest.sha256)
    if lost := [name for name in asked if name not in header]:
        raise RefusedError(
            Finding("column_missing", f"The manifest {manifest.file} lacks the column {', '.join(lost)}", _AGAIN, 1)
        )
    places = [header.index(name) for name in asked]
    promises = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        if len(row) <= max(places):
            raise RefusedError(truncated(f"The manifest {manifest.file} ends inside line {line}", line))
        name, size, count, digest = (row[place].strip() for place in places)
        promises[name] = Promise(name, _count(size), _count(count), digest.lower() or None)
    return promises


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def check_promise(promise: Promise | None, size: int, sha256: str) -> list[Finding]:
    """How a file differs from its manifest, in bytes or content: transport damage."""
    if promise is None:
        return []
    if promise.bytes is not None and promise.bytes != size:
        return [truncated(f"It has {size} bytes; the manifest says {promise.bytes}")]
    if promise.sha256 is not None and promise.sha256 != sha256:
        return [truncated("Its SHA-256 is not the manifest's: its content was changed on the way")]
    return []


def check_rows(promise: Promise | None, least: int, most: int) -> list[Finding]:
    """How the number of records differs from the manifest; a record rejected in pieces may count as several."""
    if promise is None or promise.rows is None or least <= promise.rows <= most:
        return []
    return [truncated(f"It has {least} data records; the manifest says {promise.rows}")]
