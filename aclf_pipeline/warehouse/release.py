"""Releases: immutable folders of the cohort, its provenance, the results and the pages, with a manifest of hashes.

The folder is named by the day the analysis looks back from and a digest of what is in its tables, the protocol and the
files everything came from. The same content has the same digest and is not written twice; no clock enters it. Pages are
listed in the manifest and do not enter the digest, since they may show when they were made.

What does not belong here: deciding whether a refresh may be published (the checks) and making pages (reports).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from aclf_pipeline import __version__
from aclf_pipeline.warehouse import ledger
from aclf_pipeline.warehouse.connection import Warehouse, WarehouseError, quoted
from aclf_pipeline.warehouse.privacy import check_character
from aclf_pipeline.warehouse.statistical_files import Labels, write_spss, write_stata

RELEASED = (
    "marts.cohort",
    "marts.attrition",
    "marts.eligibility",
    "marts.cohort_provenance",
    "marts.exclusion_combinations",
    "marts.parameter_choices",
    "marts.time_zeros",
    "marts.follow_up",
    "marts.intervals",
    "marts.survival_findings",
    "marts.codebook",
    "analysis.results",
)
"""Tables of a release; those that do not exist are left out, except the cohort."""

_DIGEST_LENGTH = 12
_TELEPHONE = re.compile(r"(?<![\w.])1[3-9]\d{9}(?![\w.])", re.ASCII)
_IDENTITY = re.compile(r"(?<![\w.])\d{17}[\dXx](?![\w.])", re.ASCII)


@dataclass(frozen=True)
class Release:
    """A published release. `is_new` is false when the same content had been published before."""

    path: Path
    digest: str
    is_new: bool


def publish(
    wh: Warehouse,
    study: str,
    as_of: date,
    releases: Path,
    pages: Mapping[str, Path],
    *,
    protocol_digest: str,
    synthetic: bool = False,
    labels: Mapping[str, Labels] | None = None,
) -> Release:
    """Write `releases/<as_of>-<digest>/`: tables as Parquet and CSV, pages, `manifest.json`.

    The cohort and every table of `labels` are written for Stata and SPSS too. `pages` maps a name inside the release to
    the file to copy. Raises WarehouseError when there is no cohort, a page is
    not there, or a table or page holds what looks like a telephone or identity number.
    """
    tables = _tables(wh)
    problems = [*_missing_pages(pages), *_identifiers(tables, pages)]
    if problems:
        raise WarehouseError([f"release: {problem}" for problem in problems])
    releases.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=releases))
    try:
        for table, frame in tables.items():
            _write_table(draft, table, frame, as_of, {"marts.cohort": Labels(), **(labels or {})}.get(table))
        sources = _sources(wh)
        about = {
            "study": study,
            "as_of": as_of.isoformat(),
            "synthetic": synthetic,
            "version": __version__,
            "protocol_digest": protocol_digest,
            "sources": sources,
        }
        digest = _digest({**about, "content": _content(tables)})
        path = releases / f"{as_of.isoformat()}-{digest}"
        if path.exists():
            return Release(path, digest, is_new=False)
        for name, page in pages.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, draft / name)
        manifest = {"digest": digest, **about, "files": _hashes(draft)}
        (draft / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", "utf-8")
        _seal(draft)
        draft.rename(path)
        return Release(path, digest, is_new=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def last_released(releases: Path, tables: Iterable[str]) -> dict[str, pl.DataFrame]:
    """Tables of the newest release, by name without schema; empty when nothing has been published."""
    made = [path for path in releases.glob("*-*") if (path / "manifest.json").is_file()]
    if not made:
        return {}
    newest = max(made, key=lambda path: path.stat().st_mtime_ns)
    return {name: pl.read_parquet(path) for name in tables if (path := newest / f"{name}.parquet").is_file()}


def verify(release: Path) -> list[str]:
    """What of a release is no longer as its manifest says; nothing when all is."""
    manifest = json.loads((release / "manifest.json").read_text("utf-8"))
    found, listed = _hashes(release), manifest["files"]
    found.pop("manifest.json", None)
    problems = [f"{name} is missing" for name in sorted(listed.keys() - found.keys())]
    problems += [f"{name} is not listed" for name in sorted(found.keys() - listed.keys())]
    return problems + [
        f"{name} has changed" for name in sorted(found.keys() & listed.keys()) if found[name] != listed[name]
    ]


def content_digest(wh: Warehouse) -> str:
    """A digest of the cohort alone, row by row in key order: two refreshes of the same data give the same."""
    return hashlib.sha256(_tables(wh)["marts.cohort"].write_json().encode("utf-8")).hexdigest()[:_DIGEST_LENGTH]


def _tables(wh: Warehouse) -> dict[str, pl.DataFrame]:
    there = wh.tables()
    if "marts.cohort" not in there:
        raise WarehouseError("release: there is no marts.cohort. Refresh the study first.")
    return {table: _read(wh, table) for table in RELEASED if table in there}


def _read(wh: Warehouse, table: str) -> pl.DataFrame:
    return wh.frame(f"select * from {quoted(table)} order by all")


def _content(tables: Mapping[str, pl.DataFrame]) -> dict[str, list[str]]:
    """Columns with their types, and a hash of the cells, of each table."""
    return {
        table: [
            *(f"{name} {dtype}" for name, dtype in frame.schema.items()),
            hashlib.sha256(_flat(frame).write_csv().encode("utf-8")).hexdigest(),
        ]
        for table, frame in tables.items()
    }


def _sources(wh: Warehouse) -> list[dict[str, Any]]:
    """The files everything came from; when they were loaded is not of the content."""
    return ledger.source_files(wh)


def _write_table(folder: Path, table: str, frame: pl.DataFrame, as_of: date, labels: Labels | None) -> None:
    name = table.split(".", 1)[1]
    frame.write_parquet(folder / f"{name}.parquet", compression="zstd", statistics=True)
    flat = _flat(frame)
    flat.write_csv(folder / f"{name}.csv")
    if labels is not None:
        write_stata(folder / f"{name}.dta", flat, labels, as_of)
        write_spss(folder / f"{name}.sav", flat, labels, as_of)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with lists written out, joined by semicolons."""
    return frame.with_columns(
        [
            pl.col(column).list.eval(pl.element().cast(pl.String)).list.join(";").alias(column)
            for column, dtype in frame.schema.items()
            if isinstance(dtype, pl.List)
        ]
    )


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:_DIGEST_LENGTH]


def _seal(folder: Path) -> None:
    """Take the right to write from every file; the folder itself becomes readable like its parent."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    folder.chmod(folder.parent.stat().st_mode & 0o777)


def _missing_pages(pages: Mapping[str, Path]) -> Iterable[str]:
    for name, page in pages.items():
        if not page.is_file():
            yield f"page '{name}' is not there ({page})"
        if Path(name).is_absolute() or ".." in Path(name).parts:
            yield f"page '{name}' would lie outside the release"


def _identifiers(tables: Mapping[str, pl.DataFrame], pages: Mapping[str, Path]) -> Iterable[str]:
    """Where a direct identifier seems to have come through. The text itself is not told."""
    for table, frame in tables.items():
        for column in frame.columns:
            if frame.schema[column] == pl.String:
                count = sum(_is_telling(text) for text in frame[column].drop_nulls().unique())
                if count:
                    yield f"{table}.{column} holds what looks like a direct identifier in {count} values; not published"
    for name, page in pages.items():
        if (
            page.is_file()
            and page.suffix in (".html", ".json", ".csv", ".svg", ".txt")
            and _is_telling(page.read_text("utf-8"))
        ):
            yield f"page '{name}' holds what looks like a direct identifier; not published"


def _is_telling(text: str) -> bool:
    numbers = (found.upper() for found in _IDENTITY.findall(text))
    return _TELEPHONE.search(text) is not None or any(check_character(n[:17]) == n[17] for n in numbers)
