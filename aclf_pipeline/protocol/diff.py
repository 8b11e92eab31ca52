"""Two versions of the protocol compared: every change, and whether it is breaking, changes results, or is harmless.

A version is a folder of pages, or what a release keeps of one. Breaking: what was accepted may now be refused, or a
reader finds a column that is not what it was. Results: the same delivery may come to other figures. Harmless: words,
and what is only told.

What does not belong here: what a change of one kind of stanza means (diff_pages.py, diff_study.py), and files other
than pages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aclf_pipeline.protocol.change import EFFECTS, Change, Effect
from aclf_pipeline.protocol.diff_pages import codelists, tables, words_of_page
from aclf_pipeline.protocol.diff_study import study_page
from aclf_pipeline.protocol.errors import ProtocolError
from aclf_pipeline.protocol.reader import load_protocol

Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""`schema.table` → column → type, required, unique, key, within."""


@dataclass(frozen=True)
class Snapshot:
    """One version: the plain pages, and, where they are known, the promised tables and each rule's fingerprint."""

    name: str
    digest: str
    pages: Mapping[str, Any]
    codelists: Mapping[str, list[dict[str, Any]]]
    tables: Tables | None = None
    fingerprints: Mapping[str, str] | None = None

    @property
    def study(self) -> str:
        """The study whose pages these are."""
        return next(page.split("/")[1] for page in self.pages if page.endswith("/study.yaml"))


def snapshot_of_text(
    name: str, canonical: str, tables: Tables | None = None, fingerprints: Mapping[str, str] | None = None
) -> Snapshot:
    """A version from the canonical text of its pages, as `Protocol.canonical` and a release hold it."""
    content = json.loads(canonical)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Snapshot(name, digest, content["pages"], content["codelists"], tables, fingerprints)


def snapshot_of_folder(
    folder: Path, study: str, tables: Tables | None = None, fingerprints: Mapping[str, str] | None = None
) -> Snapshot:
    """A version from a folder of pages. Raises ProtocolError with everything that is wrong with them."""
    return snapshot_of_text(str(folder), load_protocol(folder, study).canonical, tables, fingerprints)


def compare(old: Snapshot, new: Snapshot) -> list[Change]:
    """Every change from `old` to `new`, the gravest first; nothing for equal versions.

    Promised tables and fingerprints are compared where both versions have them. Raises ProtocolError for versions of
    two studies.
    """
    if old.study != new.study:
        raise ProtocolError([f"protocol diff: '{old.name}' is of study {old.study}, '{new.name}' of {new.study}"])
    found = [*_pages(old, new), *codelists(old.codelists, new.codelists)]
    if old.tables is not None and new.tables is not None:
        found += tables(old.tables, new.tables)
    if old.fingerprints is not None and new.fingerprints is not None:
        found += _queries(old, new, {change.name for change in found if change.page == "rules.yaml"})
    return sorted(found, key=lambda change: (EFFECTS.index(change.effect), change.page, change.name))


def worst(changes: Iterable[Change]) -> Effect | None:
    """The gravest effect there is; None when nothing changed."""
    return min((change.effect for change in changes), key=EFFECTS.index, default=None)


def _pages(old: Snapshot, new: Snapshot) -> Iterator[Change]:
    for page in sorted(old.pages.keys() | new.pages.keys()):
        before, after = old.pages.get(page), new.pages.get(page)
        if before == after:
            continue
        if page.endswith("/study.yaml"):
            yield from study_page(page, before or {}, after or {})
        else:
            yield from words_of_page(page, before, after, new.pages)


def _queries(old: Snapshot, new: Snapshot, told: set[str]) -> Iterator[Change]:
    """Rules whose page says the same and whose query asks something else."""
    before, after = old.fingerprints or {}, new.fingerprints or {}
    for rule in sorted((before.keys() & after.keys()) - told):
        if before[rule] != after[rule]:
            says = "its query was changed; which way, cannot be told from the pages"
            yield Change("sql/audits", rule, "query changed", "results", says)
