"""What must be right before a refresh can be: pages, mappings, paths, permissions. `aclf doctor` prints it.

What does not belong here: judging data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aclf_pipeline.assets.house import House
from aclf_pipeline.errors import UserError
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.batches import complete_batches
from aclf_pipeline.warehouse.privacy import PseudonymKey


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    state: Literal["ok", "warn", "fail"]
    says: str


def preflight(settings: Settings) -> list[Finding]:
    """Every finding, in the order a refresh would meet them; a misprint on a page does not hide an unsafe key."""
    try:
        house = House.load(settings)
    except UserError as error:
        read = [Finding("fail", problem) for problem in error.problems]
    else:
        read = [*_pages(house), *_exports(house)]
    return [*read, *_key(settings), *_places(settings)]


def unfit(house: House) -> list[str]:
    """What of a loaded house makes a refresh impossible, in sentences."""
    looked = [*_exports(house), *_key(house.settings), *_places(house.settings)]
    return [finding.says for finding in looked if finding.state == "fail"]


def _pages(house: House) -> Iterator[Finding]:
    protocol = house.protocol
    audits = sum(not name.startswith("_") for name in house.audits)
    yield Finding(
        "ok",
        f"protocol {protocol.digest[:12]}: {len(protocol.analytes)} analytes, {len(protocol.rules)} rules, "
        f"{audits} audits, study {protocol.study.id} as of {house.as_of}",
    )
    yield Finding("ok", f"SQL graph: {len(house.models)} tables, no circle, every parent known")
    unsigned = sum("needs a clinician's signature" in analyte.because for analyte in protocol.analytes.values())
    if unsigned:
        yield Finding("warn", f"analytes.yaml: {unsigned} ranges are proposals that still need a clinician's signature")


def _exports(house: House) -> Iterator[Finding]:
    folder = house.exports
    if not folder.is_dir():
        yield Finding(
            "fail",
            f"exports: '{folder}' is not a folder. Put batch folders there, or say where they are with --exports or"
            " ACLF_EXPORTS_DIR.",
        )
        return
    batches = complete_batches(house.source, folder)
    state: Literal["ok", "warn"] = "ok" if batches else "warn"
    yield Finding(state, f"exports: {len(batches)} complete batches in {folder}")


def _key(settings: Settings) -> Iterator[Finding]:
    path = settings.key_file
    if not path.exists():
        yield Finding("ok", f"pseudonym key: none yet, the first refresh creates {path} with mode 0600")
        return
    try:
        PseudonymKey.load(path)
    except UserError as error:
        yield Finding("fail", str(error))
    except OSError as error:
        yield Finding("fail", f"pseudonym key: '{path}' cannot be read by this user ({error.strerror})")
    else:
        yield Finding("ok", f"pseudonym key: {path}, readable by its owner only")


def _places(settings: Settings) -> Iterator[Finding]:
    for what, path in {
        "warehouse": settings.warehouse.parent,
        "reports": settings.reports,
        "releases": settings.releases,
    }.items():
        near = _nearest_existing(path)
        if os.access(near, os.W_OK):
            yield Finding("ok", f"{what}: {path} can be written")
        else:
            yield Finding("fail", f"{what}: {near} cannot be written by this user, so {path} cannot be made")


def _nearest_existing(path: Path) -> Path:
    return path if path.exists() else _nearest_existing(path.parent)
