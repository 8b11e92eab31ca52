"""The warehouse file: one native DuckDB database, opened late, closed always, by one process at a time.

Only `execute` of the driver is used, so that a later major version of it costs little. Python names are never taken
for tables (`python_enable_replacements` is off): a misspelt table is an error, not a variable.

What does not belong here: what the tables mean (`ledger`, `rules_tables`, the sql folder).
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from aclf_pipeline.errors import UserError
from aclf_pipeline.warehouse.ledger_tables import DDL
from aclf_pipeline.warehouse.row_id import MACROS

SCHEMAS = ("raw", "mapping", "staging", "core", "intermediate", "marts", "analysis", "rules", "quality")
_HOLDER = re.compile(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)", re.DOTALL)
_POLL_SECONDS = 0.05
_STORAGE = "v1.4.0"  # its text compression takes a fifth of the space and half the time of the driver's default

_SHAPE = hashlib.sha256("\n".join([*SCHEMAS, *MACROS, *DDL]).encode()).hexdigest()[:16]
"""What every warehouse holds from its first opening; it stands as a comment where it has been made."""

_STAMP = "select comment from duckdb_tables() where schema_name = 'quality' and table_name = 'refreshes'"


class WarehouseError(UserError):
    """The warehouse cannot do what was asked; the message says what, why and what to try."""


def quoted(table: str) -> str:
    """A table name `schema.name` as SQL identifiers; quotes inside are doubled."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in table.split(".", 1))


class Warehouse:
    """An open warehouse. Use it as a context manager: the file is released when the block is left, however it is left.

    Timestamps are naive and in microseconds. Frames are Polars frames.
    """

    def __init__(self, path: Path, *, wait_seconds: float = 30, memory_limit: str = "1GB", threads: int = 2) -> None:
        self.path = Path(path)
        self._depth = 0
        self._names = itertools.count()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._con = _connect(
            self.path,
            {
                "memory_limit": memory_limit,
                "threads": threads,
                "python_enable_replacements": False,
                "storage_compatibility_version": _STORAGE,
            },
            wait_seconds,
        )
        try:
            self._prepare()
        except BaseException:
            self._con.close()
            raise

    @classmethod
    def open(cls, path: Path, *, wait_seconds: float = 30, memory_limit: str = "1GB", threads: int = 2) -> Warehouse:
        """Open the file, creating it when absent; waits at most `wait_seconds` for another process to let go of it."""
        return cls(path, wait_seconds=wait_seconds, memory_limit=memory_limit, threads=threads)

    def _prepare(self) -> None:
        if self.scalar(_STAMP) == _SHAPE:
            return
        with self.transaction():
            for schema in SCHEMAS:
                self.execute(f"create schema if not exists {schema}")
            for macro in MACROS:
                self.execute(macro)
            for statement in DDL:
                self.execute(statement)
            self.execute(f"comment on table quality.refreshes is '{_SHAPE}'")

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file. Closing twice does no harm."""
        self._con.close()

    def execute(self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None) -> None:
        """Run one statement for its effect."""
        self._con.execute(sql, params)

    def frame(self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None) -> pl.DataFrame:
        """The rows of a query as a frame."""
        table = self._con.execute(sql, params).to_arrow_table()
        return pl.DataFrame(pl.from_arrow(table))

    def rows(self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query as tuples."""
        return self._con.execute(sql, params).fetchall()

    def scalar(self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None) -> Any:
        """The first cell of a query; None when it has no row."""
        found = self.rows(sql, params)
        return found[0][0] if found else None

    def chunks(
        self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None, *, rows: int = 200_000
    ) -> Iterator[pl.DataFrame]:
        """The rows of a query, streamed in frames of at most `rows` rows; the last may be short, none is empty.

        Outside a transaction the stream has its own cursor, so the warehouse may be used while it runs.
        """
        con = self._con if self._depth else self._con.cursor()
        try:
            for batch in con.execute(sql, params).to_arrow_reader(rows):
                if batch.num_rows:
                    yield pl.DataFrame(pl.from_arrow(batch))
        finally:
            if con is not self._con:
                con.close()

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Create or replace a table from a frame: the frame's columns, in its order."""
        with self._registered(frame) as view:
            self.execute(f"create or replace table {quoted(table)} as select * from {view}")

    def append(self, table: str, frame: pl.DataFrame) -> None:
        """Insert a frame into an existing table, column by column name; columns it lacks are null."""
        with self._registered(frame) as view:
            self.execute(f"insert into {quoted(table)} by name select * from {view}")

    @contextmanager
    def _registered(self, frame: pl.DataFrame) -> Iterator[str]:
        view = f"_frame_{next(self._names)}"
        # until a transaction ends, the driver holds what was registered in it: a reader, once read, holds nothing
        rows = frame.to_arrow()
        self._con.register(view, pa.RecordBatchReader.from_batches(rows.schema, iter(rows.to_batches())))
        del rows
        try:
            yield view
        finally:
            self._con.unregister(view)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: an exception inside undoes everything since the outermost block began."""
        self._depth += 1
        try:
            if self._depth == 1:
                self.execute("begin transaction")
            yield
            if self._depth == 1:
                self.execute("commit")
        except BaseException:
            if self._depth == 1:
                self._roll_back()
            raise
        finally:
            self._depth -= 1

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Whatever is written inside is undone at the end. Not within a transaction, which would end with it."""
        if self._depth:
            raise WarehouseError("warehouse: a rehearsal was asked for within a transaction. End it first.")
        self._depth += 1
        self.execute("begin transaction")
        try:
            yield
        finally:
            self._depth -= 1
            self._roll_back()

    def _roll_back(self) -> None:
        try:
            self.execute("rollback")
        except duckdb.TransactionException:
            # the driver has already ended the transaction (for example a commit that failed)
            return

    def tables(self) -> set[str]:
        """Every table and view as `schema.name`."""
        found = self.rows("select table_schema || '.' || table_name from information_schema.tables")
        return {name for (name,) in found}

    def columns(self, table: str) -> list[tuple[str, str]]:
        """Columns of a table with their SQL types, in order; empty when there is no such table."""
        schema, name = table.split(".", 1)
        found = self.rows(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = ? and table_name = ? order by ordinal_position",
            [schema, name],
        )
        return [(column, kind) for column, kind in found]


def _connect(path: Path, config: dict[str, Any], wait_seconds: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(path), config=config)
        except duckdb.IOException as error:
            held = _HOLDER.search(str(error))
            if held is None:
                if "lock" not in str(error).lower():
                    raise WarehouseError(f"warehouse: '{path}' cannot be opened as a database: {error}") from error
                by = "another process"
            else:
                by = f"process {held['pid']} ({Path(held['program'].strip()).name})"
            if time.monotonic() >= deadline:
                raise WarehouseError(
                    f"warehouse: '{path}' is in use by {by}, and stayed so for {wait_seconds:g} s. One process at a"
                    " time may open it: let the other finish, or end it, and try again."
                ) from error
            time.sleep(_POLL_SECONDS)
