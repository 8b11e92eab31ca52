"""A delimited text as a grid of text cells with the physical line of every record; damaged records joined or rejected.

A record with a bare line break in an unquoted field arrives in pieces: it is joined when the pieces give exactly the
header's number of fields and a sound key, and is otherwise rejected. A record with too many fields is rejected. Every
other record is parsed in one go, and the parse is checked byte for byte against the structure of the text.

What does not belong here: which columns are kept (`headers`) and what identifies a patient (`privacy`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from aclf_pipeline.warehouse.csv_structure import Structure, split_record, structure_of
from aclf_pipeline.warehouse.findings import Receipt, RefusedError, Reject, truncated

IsSound = Callable[[list[str]], bool]


@dataclass(frozen=True)
class Grid:
    """Rows of text cells below a header: column i of `cells` is named str(i); `lines` has a line or row number each."""

    header: list[str]
    cells: pl.DataFrame
    lines: pl.Series
    sheet: int = 0


@dataclass
class Records:
    """A grid, and what of the text did not fit into it. `least` and `most` bound the number of records delivered."""

    grid: Grid
    least: int
    most: int
    rejects: list[Reject] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)


@dataclass
class _Plan:
    """Which records are taken as they stand, which are joined (their fields), which are rejected."""

    plain: np.ndarray
    joined: list[tuple[int, list[str]]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)


class Delimited:
    """A delimited text with its header read. Raises RefusedError (`truncated_file`) when its last record is cut."""

    def __init__(self, text: bytes, delimiter: str) -> None:
        self._text, self._delimiter = text, delimiter
        if not text.strip():
            raise RefusedError(truncated("The file is empty"))
        self._structure = structure_of(text, delimiter)
        header = self._fields(0)
        if header is None:
            raise RefusedError(truncated("The header line cannot be read: its quotes are not closed", 1))
        self.header: list[str] = header
        last = len(self._structure) - 1
        if not text.endswith(b"\n") and self._structure.counts[last] < len(header):
            line = int(self._structure.lines[last])
            raise RefusedError(truncated(f"The file ends inside the record that begins on line {line}", line))

    def read(self, is_sound: IsSound) -> Records:
        """All records. `is_sound` says of a joined record's fields whether its key can be one."""
        plan = self._plan(is_sound)
        cells = self._parse(plan.plain)
        lines = pl.Series("line", self._structure.lines[plan.plain], dtype=pl.Int64)
        if plan.joined:
            cells = pl.concat([cells, _frame([fields for _, fields in plan.joined], len(self.header))])
            lines = lines.append(pl.Series("line", [line for line, _ in plan.joined], dtype=pl.Int64))
        rejected = sum(reject.pieces for reject in plan.rejects)
        return Records(
            grid=Grid(self.header, cells, lines),
            least=cells.height,
            most=cells.height + rejected,
            rejects=plan.rejects,
            receipts=plan.receipts,
        )

    def _record(self, index: int) -> str:
        return self._text[self._structure.starts[index] : self._structure.ends[index]].decode("utf-8")

    def _fields(self, index: int) -> list[str] | None:
        return split_record(self._record(index), self._delimiter)

    def _plan(self, is_sound: IsSound) -> _Plan:
        structure, width = self._structure, len(self.header)
        blank = structure.starts == structure.ends
        fits = (structure.counts == width) & ~blank
        fits[0] = False
        plan = _Plan(plain=np.empty(0, dtype=np.int64))
        odd = np.flatnonzero(~fits)
        odd = odd[odd > 0]
        for run in _runs(odd):
            self._settle(list(run), fits, blank, plan, is_sound)
        plan.plain = np.flatnonzero(fits)
        return plan

    def _settle(self, run: list[int], fits: np.ndarray, blank: np.ndarray, plan: _Plan, is_sound: IsSound) -> None:
        """Join or reject one run of neighbouring records that do not fit; blank lines at its ends are nothing."""
        while run and blank[run[-1]]:
            run.pop()
        before = run[0] - 1 if run else 0
        if run and before > 0 and fits[before] and self._structure.counts[next(i for i in run if not blank[i])] == 1:
            tail = list(_leading(run, self._structure))
            if self._join([before, *tail], plan, is_sound):
                fits[before] = False
                run = run[len(tail) :]
        while run and blank[run[0]]:
            run.pop(0)
        for group in self._groups(run):
            if not (len(group) > 1 and self._join(group, plan, is_sound)):
                plan.rejects.append(self._rejected(group))

    def _groups(self, run: list[int]) -> Iterator[list[int]]:
        """Neighbouring pieces that together have the header's number of fields; what fits nowhere stays together."""
        width, counts = len(self.header), self._structure.counts
        group: list[int] = []
        fields = 0
        for index in run:
            together = fields + int(counts[index]) - 1 if group else int(counts[index])
            if group and (together > width or (fields == width and counts[index] > 1)):
                yield group
                group, together = [], int(counts[index])
            group.append(index)
            fields = together
            if together > width or counts[index] == 0:
                yield group
                group, fields = [], 0
        if group:
            yield group

    def _join(self, group: list[int], plan: _Plan, is_sound: IsSound) -> bool:
        fields: list[str] = []
        for index in group:
            piece = self._fields(index)
            if piece is None:
                return False
            fields = [*fields[:-1], f"{fields[-1]}\n{piece[0]}", *piece[1:]] if fields else piece
        if len(fields) != len(self.header) or not is_sound(fields):
            return False
        line = int(self._structure.lines[group[0]])
        plan.joined.append((line, fields))
        plan.receipts.append(Receipt(line, "embedded_newline", f"{len(group)} pieces", "one row"))
        return True

    def _rejected(self, group: list[int]) -> Reject:
        line, counts, width = int(self._structure.lines[group[0]]), self._structure.counts, len(self.header)
        count = int(counts[group[0]])
        if count == 0:
            return Reject(line, "stray_quote", "its quotes are not closed where a field ends", len(group))
        if count > width:
            return Reject(line, "unquoted_delimiter", f"{count} fields where the header has {width}", len(group))
        return Reject(
            line, "embedded_newline", f"{len(group)} pieces that give no whole row of {width} fields", len(group)
        )

    def _parse(self, plain: np.ndarray) -> pl.DataFrame:
        width = len(self.header)
        if not len(plain):
            return _frame([], width)
        structure = self._structure
        if structure.is_regular:
            body = _slices(self._text, structure, plain)
            cells = _parsed(body, self._delimiter, width)
            octets = int((structure.ends - structure.starts - structure.counts + 1)[plain].sum())
            if cells.height == len(plain) and _accounts_for(cells, octets, body):
                return cells
        rows = [self._fields(index) for index in plain]
        return _frame([row for row in rows if row is not None], width)


def _runs(indices: np.ndarray) -> Iterator[np.ndarray]:
    """Runs of consecutive numbers."""
    if len(indices):
        yield from np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)


def _leading(run: list[int], structure: Structure) -> Iterator[int]:
    """The one-field pieces a run begins with: what may still belong to the record before it."""
    for index in run:
        if structure.counts[index] != 1:
            return
        yield index


def _slices(text: bytes, structure: Structure, plain: np.ndarray) -> bytes:
    """The text of the given records with their line ends, in stretches as long as possible."""
    behind = np.append(structure.starts[1:], len(text))
    stretches = [(structure.starts[run[0]], behind[run[-1]]) for run in _runs(plain)]
    return text[slice(*stretches[0])] if len(stretches) == 1 else b"".join(text[a:b] for a, b in stretches)


def _parsed(body: bytes, delimiter: str, width: int) -> pl.DataFrame:
    return pl.read_csv(
        body,
        has_header=False,
        separator=delimiter,
        quote_char='"' if b'"' in body else None,
        infer_schema=False,
        empty_string_is_null=False,
        new_columns=[str(i) for i in range(width)],
        extra_columns="raise",
        missing_columns="raise",
    )


def _accounts_for(cells: pl.DataFrame, octets: int, body: bytes) -> bool:
    """Whether cells and the quotes taken off them add up to exactly the bytes between delimiters and line ends."""
    if any(cells.null_count().row(0)):
        return False
    quotes = body.count(b'"')
    kept = _sum(cells, pl.all().str.count_matches('"', literal=True)) if quotes else 0
    return _sum(cells, pl.all().str.len_bytes()) + quotes - kept == octets


def _sum(cells: pl.DataFrame, what: pl.Expr) -> int:
    return sum(int(total) for total in cells.select(what.cast(pl.Int64).sum()).row(0))


def _frame(rows: list[list[str]], width: int) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={str(i): pl.String for i in range(width)}, orient="row")
