"""Cells of delivered files put right, or damaged again, in place: the file stays what a hospital would send.

What does not belong here: what a refresh makes of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from aclf_pipeline_tests.simulate.reading import decode
from aclf_pipeline_tests.whole.canaries import write_manifest


@dataclass(frozen=True)
class Cell:
    """One cell of a text file, by the name of the file, the physical line and the column; what stands there, and what
    is to.
    """

    file: str
    line: int
    column: str
    stands: str
    becomes: str

    def reversed(self) -> Cell:
        """The same cell, damaged again."""
        return Cell(self.file, self.line, self.column, self.becomes, self.stands)


def put(batch: Path, cells: Iterable[Cell]) -> None:
    """Write the cells of one batch's files, and a manifest that tells the new files."""
    by_file: dict[str, list[Cell]] = {}
    for cell in cells:
        by_file.setdefault(cell.file, []).append(cell)
    for name, wanted in by_file.items():
        _rewrite(batch / name, wanted)
    write_manifest(batch)


def _rewrite(path: Path, cells: list[Cell]) -> None:
    text, encoding, bom = decode(path.read_bytes())
    lines = text.split("\n")
    header = next(csv.reader([lines[0].rstrip("\r")]))
    quoting = csv.QUOTE_ALL if text.startswith('"') else csv.QUOTE_MINIMAL
    for cell in cells:
        end = "\r" if lines[cell.line - 1].endswith("\r") else ""
        row = next(csv.reader([lines[cell.line - 1].rstrip("\r")]))
        place = header.index(cell.column)
        if row[place] != cell.stands:
            raise ValueError(f"{path.name}, line {cell.line}: '{row[place]}' stands there, not '{cell.stands}'")
        row[place] = cell.becomes
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="", quoting=quoting).writerow(row)
        lines[cell.line - 1] = out.getvalue() + end
    path.write_bytes("\n".join(lines).encode(f"{encoding}-sig" if bom and encoding == "utf-8" else encoding))
