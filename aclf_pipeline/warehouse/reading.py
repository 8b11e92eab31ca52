"""One delivered file → rows fit for a raw table: read by its format, columns matched, identifiers gone.

What does not belong here: whether the file may be loaded (`ingest`) and how each format is read (the readers).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.warehouse.csv_records import Delimited, Grid
from aclf_pipeline.warehouse.decode import decode, decompress
from aclf_pipeline.warehouse.findings import Finding, Receipt, RefusedError, Reject
from aclf_pipeline.warehouse.headers import Layout, match_header
from aclf_pipeline.warehouse.parquet import read_parquet
from aclf_pipeline.warehouse.privacy import Privacy
from aclf_pipeline.warehouse.row_id import pack_lines
from aclf_pipeline.warehouse.sources import FileForm
from aclf_pipeline.warehouse.workbook import read_workbook

_DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass
class FileContent:
    """What a file holds. `sheets` pairs a sheet's number with its rows (stored columns) and their lines."""

    form_id: str
    form: FileForm
    columns: int
    least: int
    most: int
    encoding: str | None = None
    line_end: str | None = None
    sheet_names: list[str] | None = None
    sheets: list[tuple[int, pl.DataFrame, pl.Series]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows to be stored."""
        return sum(frame.height for _, frame, _ in self.sheets)

    def frames(self, file_id: int) -> Iterator[pl.DataFrame]:
        """The rows of each sheet with their `_row_id`."""
        for number, frame, lines in self.sheets:
            yield frame.insert_column(0, pack_lines(file_id, lines, number))


def read_file(data: bytes, name: str, forms: Mapping[str, FileForm], privacy: Privacy) -> FileContent:
    """Read a file as one of the forms its name allows. Raises RefusedError with every reason it cannot be taken in."""
    if name.endswith(".gz"):
        data = decompress(data)
    formats = {form.format for form in forms.values()}
    if formats <= set(_DELIMITERS):
        form = next(iter(forms.values()))
        return _read_text(data, form.delimiter or _DELIMITERS[form.format], forms, privacy)
    if formats == {"xlsx"}:
        grids, names = read_workbook(data, next(iter(forms.values())))
        content = _read_grids(grids, forms, privacy)
        content.sheet_names = names
        return content
    return _read_grids([read_parquet(data)], forms, privacy)


def _read_text(data: bytes, delimiter: str, forms: Mapping[str, FileForm], privacy: Privacy) -> FileContent:
    decoded = decode(data)
    delimited = Delimited(decoded.text, delimiter)
    layout = match_header(delimited.header, forms)
    records = delimited.read(privacy.is_sound_key(layout))
    content = FileContent(
        layout.form_id, layout.form, len(delimited.header), records.least, records.most,
        encoding=decoded.encoding, line_end=decoded.line_end,
        rejects=records.rejects, receipts=records.receipts, findings=list(layout.findings),
    )  # fmt: skip
    _protect(content, records.grid, layout, privacy)
    return content


def _read_grids(grids: list[Grid], forms: Mapping[str, FileForm], privacy: Privacy) -> FileContent:
    """Grids of one file; a problem of any sheet refuses the file, and all sheets' problems are told."""
    layouts: list[Layout] = []
    problems: list[Finding] = []
    for grid in grids:
        try:
            layouts.append(match_header(grid.header, forms, _header_line(grid, forms)))
        except RefusedError as refused:
            problems += refused.findings
    if problems:
        raise RefusedError(*problems)
    first, rows = layouts[0], sum(grid.cells.height for grid in grids)
    content = FileContent(first.form_id, first.form, max(len(grid.header) for grid in grids), rows, rows)
    for grid, layout in zip(grids, layouts, strict=True):
        content.findings += [finding for finding in layout.findings if finding not in content.findings]
        _protect(content, grid, layout, privacy)
    return content


def _header_line(grid: Grid, forms: Mapping[str, FileForm]) -> int | None:
    """The row of a sheet that holds its header; None for a file that has no lines."""
    return next(iter(forms.values())).sheets.header_row if grid.sheet else None


def _protect(content: FileContent, grid: Grid, layout: Layout, privacy: Privacy) -> None:
    protected = privacy.protect(grid.cells, layout)
    content.sheets.append((grid.sheet, protected.frame, grid.lines))
    content.receipts += [
        Receipt(int(grid.lines[row]), "phi_in_text", seen, "redacted", column, grid.sheet)
        for row, column, seen in protected.redactions
    ]
    content.receipts += [
        Receipt(int(grid.lines[row]), "name_rare_char", "a character was lost", "not used to link", column, grid.sheet)
        for row, column in protected.damaged_names
    ]
