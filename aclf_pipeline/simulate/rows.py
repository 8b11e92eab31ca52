"""A small collector of text rows that are sorted into the files of one kind.

Not here: what a row says (the builders of each kind), how a file is encoded (`delivery`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from .clock import BATCHES, NOT_DELIVERED
from .delivery import Delivered, Dialect
from .findings import Finding, Findings

Cell = str | None


@dataclass(frozen=True, slots=True)
class FileForm:
    """A file of the full batch, or the incremental file of a kind: name stem, dialect, columns."""

    name: str
    dialect: Dialect
    columns: tuple[str, ...]


@dataclass(slots=True)
class Row:
    """One row: cells under the columns of its file, the person it belongs to, and what sorts it."""

    order: tuple[int, ...]
    batch: int
    file: str
    person: int
    cells: tuple[Cell, ...]
    uid: int = -1


@dataclass(slots=True)
class Kind:
    """All rows of one kind; `forms` maps a file key to its form, `full` holds keys of the full batch."""

    name: str
    forms: dict[str, FileForm]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> Row:
        """Keep a row unless it is never delivered; gives it a row id."""
        row.uid = len(self.rows)
        self.rows.append(row)
        return row

    def deliver(self) -> list[Delivered]:
        """Files in order of batch and key, rows sorted by `order`."""
        groups: dict[tuple[int, str], list[Row]] = {}
        for row in self.rows:
            if row.batch < NOT_DELIVERED:
                groups.setdefault((row.batch, row.file), []).append(row)
        files = []
        for (batch, key), rows in sorted(groups.items(), key=lambda pair: pair[0]):
            rows.sort(key=lambda row: (row.order, row.uid))
            form = self.forms[key]
            frame = pl.DataFrame(
                [row.cells for row in rows], schema=dict.fromkeys(form.columns, pl.String), orient="row"
            )
            frame = frame.with_columns(
                pl.Series("_p", [row.person for row in rows], dtype=pl.Int64),
                pl.Series("_u", [row.uid for row in rows], dtype=pl.Int64),
            )
            name = form.name.format(stamp=BATCHES[batch].stamp)
            files.append(Delivered(batch, name, self.name, form.dialect, frame))
        return files


@dataclass(slots=True)
class HabitCell:
    """A habit of one cell of a row, recorded once the row's file is known."""

    row: Row
    defect_id: str
    column: str
    original: str | None
    shown: str
    actions: tuple[str, ...] = ("repair",)


def record(cells: list[HabitCell], kind: Kind, findings: Findings) -> None:
    """Add the habits of one kind to the findings."""
    for cell in cells:
        if cell.row.batch >= NOT_DELIVERED:
            continue
        name = kind.forms[cell.row.file].name.format(stamp=BATCHES[cell.row.batch].stamp)
        path = f"{BATCHES[cell.row.batch].name}/{name}"
        findings.add(
            Finding(
                cell.defect_id, path, cell.row.uid, cell.row.person, cell.column, cell.original, cell.shown,
                findings.instance(), "row", cell.actions, habit=True,
            )
        )  # fmt: skip
