"""How deliveries seem to come: the pattern of their folders, and the list of files inside each.

What does not belong here: applying batches (warehouse).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from aclf_pipeline.onboarding.files import Delivered
from aclf_pipeline.warehouse.drafts import MARK

_DATED = re.compile(r"(?P<date>\d{8})(?:_(?P<type>[A-Za-z]+))?(?:_r(?P<n>\d+))?")
_SHA256 = r"^[0-9a-fA-F]{64}$"


@dataclass(frozen=True)
class BatchGuess:
    """The pattern of batch folders, why, and the manifest, if one seems to be there: what it is called, its columns."""

    pattern: str
    because: str
    manifest: str | None = None
    columns: tuple[tuple[str, str], ...] = ()

    def lines(self) -> Iterator[str]:
        """As source.yaml states it."""
        yield "batches:"
        yield f"  folder: '{self.pattern}'  # guess: {self.because}"
        if self.manifest:
            told = ", ".join(f"{role}: {name}" for role, name in self.columns)
            whole = len(self.columns) == 4
            yield f"  complete_when: {self.manifest}  # guess: it stands in every batch and names its files"
            mark = "" if whole else f"# {MARK} not every column was recognised: "
            yield f"  {mark}manifest: {{file: {self.manifest}, {told}}}  # guess: by the cells of its columns"


def batches_of(files: Sequence[Delivered]) -> tuple[BatchGuess, set[str]]:
    """The guess, and the paths of the manifests, which are no data."""
    folders = sorted({file.batch for file in files})
    if folders == [""]:
        return BatchGuess(".*", f"{MARK} the files lay in no batch folder; put them into one"), set()
    dated = [folder for folder in folders if _DATED.fullmatch(folder)]
    pattern = r"(?P<date>\d{8})(?:_(?P<type>[A-Za-z]+))?(?:_r(?P<n>\d+))?" if len(dated) == len(folders) else ".*"
    because = f"{len(dated)} of {len(folders)} folders are named by a date"
    for name in sorted({file.name for file in files}):
        found = [file for file in files if file.name == name]
        if {file.batch for file in found} != set(folders):
            continue
        roles = _roles(found[0], [file.name for file in files if file.batch == found[0].batch])
        if "name" in dict(roles):
            return BatchGuess(pattern, because, name, roles), {file.path for file in found}
    return BatchGuess(pattern, because), set()


def _roles(file: Delivered, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """name, bytes, rows and sha256 of a manifest, by what the cells are; rows are the smaller of two counts."""
    roles: dict[str, str] = {}
    numbers: list[tuple[float, str]] = []
    for column in file.rows.iter_columns():
        cells = column.drop_nulls()
        if not len(cells):
            continue
        if int(cells.is_in(list(names)).sum()) * 2 > len(cells):
            roles["name"] = column.name
        elif bool(cells.str.contains(_SHA256).all()):
            roles["sha256"] = column.name
        elif bool(cells.str.contains(r"^\d+$").all()):
            numbers.append((float(cells.cast(pl.Float64).sum()), column.name))
    if len(numbers) == 2:
        (_, roles["rows"]), (_, roles["bytes"]) = sorted(numbers)
    return tuple(roles.items())
