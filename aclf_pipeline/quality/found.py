"""What the gate has found so far: failing rows, kept in the warehouse until they are written to the ledger.

Memory does not grow with what fails: a check that rejects every row of fifty million costs disk.

What does not belong here: finding (`executor`, `audits`), judging (`verdicts`) and the ledger's own tables (`gate`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from aclf_pipeline.warehouse.connection import Warehouse

FOUND = "temp.found_rows"
ROW_ID, PATIENT = "_row_id", "patient_id"
FAILURE_SCHEMA = pl.Schema({ROW_ID: pl.Int64, PATIENT: pl.String, "observed": pl.String})
"""A failing row: where it is from, whose it is, and what was seen."""


class Failing:
    """The failing rows of one check (_row_id, patient_id, observed), one per row and observation."""

    def __init__(self, wh: Warehouse, number: int, rows: int | None = None) -> None:
        self._wh, self.number, self._rows = wh, number, rows
        self.query = f"select {ROW_ID}, {PATIENT}, observed from {FOUND} where number = {number}"

    @property
    def rows(self) -> int:
        """How many rows fail; a row that was seen to fail twice is one."""
        if self._rows is None:
            self._rows = int(self._wh.scalar(f"select count(*) from (select distinct {ROW_ID} from ({self.query}))"))
        return self._rows

    def head(self, most: int) -> pl.DataFrame:
        """The first rows, in the order of the delivered lines."""
        if not self.rows:
            return FAILURE_SCHEMA.to_frame()
        return self._wh.frame(f"{self.query} order by {ROW_ID}, observed limit {most}")

    def frame(self) -> pl.DataFrame:
        """All of them in memory, in the order of the delivered lines."""
        return self._wh.frame(f"{self.query} order by {ROW_ID}, observed")


class Found:
    """Failing rows of all checks of a gate, numbered by check."""

    def __init__(self, wh: Warehouse) -> None:
        self.wh = wh
        self._last = 0

    def number(self) -> int:
        """A number no check has yet."""
        self._last += 1
        return self._last

    def of(self, number: int, rows: int | None = None) -> Failing:
        """The failing rows stored under a number; `rows` where they have been counted."""
        return Failing(self.wh, number, rows)

    def nothing(self) -> Failing:
        """No failing row."""
        return self.of(self.number(), 0)

    def take(self, query: str) -> Failing:
        """Store the rows of a query (_row_id, patient_id, observed)."""
        number = self.number()
        self.wh.execute(
            f"insert into {FOUND} by name select {number} as number, {ROW_ID}, {PATIENT}, observed from ({query})"
        )
        return self.of(number)

    def take_frame(self, frame: pl.DataFrame) -> Failing:
        """Store the rows of a frame that has these columns, and `action` where a row has an action of its own."""
        if frame.is_empty():
            return self.nothing()
        number = self.number()
        taken = [name for name in (*FAILURE_SCHEMA.names(), "action") if name in frame.columns]
        self.wh.append(FOUND, frame.select(pl.lit(number, pl.Int32).alias("number"), *taken))
        return self.of(number)


@contextmanager
def found_rows(wh: Warehouse) -> Iterator[Found]:
    """A place for failing rows; when it is left, what is not in the ledger is gone."""
    wh.execute(
        f"""create or replace temp table found_rows (
            number integer, {ROW_ID} bigint, {PATIENT} varchar, observed varchar, action varchar)"""
    )
    try:
        yield Found(wh)
    finally:
        wh.execute("drop table if exists temp.found_rows")
