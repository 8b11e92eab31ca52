"""A hospital's raw tables by hand: a few cells in, the staging tables of source his out, in a DuckDB in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import duckdb
import polars as pl

from aclf_pipeline.warehouse.row_id import MACROS, pack
from aclf_pipeline.warehouse.sources import Source, load_source

HIS = Path(__file__).resolve().parents[2] / "sql" / "staging" / "his"
FILE = 1
BATCH = "20181015_full"
KINDS = (
    "patients",
    "stays",
    "diagnoses",
    "labs",
    "medications",
    "infusions",
    "procedures",
    "assessments",
    "vitals",
    "imaging",
    "followups",
    "deaths",
)

Rows = Sequence[Mapping[str, str | None]]


@cache
def source() -> Source:
    return load_source(HIS)


def mapping_files() -> list[Path]:
    return sorted(HIS.glob("his__*.csv"))


def query(kind: str) -> str:
    return (HIS / f"his__{kind}.sql").read_text("utf-8")


class Hospital:
    """The raw tables of source his; what is not given is empty, a cell not given is null."""

    def __init__(self, batch: str = BATCH) -> None:
        self.connection = duckdb.connect(":memory:", config={"threads": 2})
        for schema in ("raw", "mapping", "quality", "staging"):
            self.connection.execute(f"create schema {schema}")
        for macro in MACROS:
            self.connection.execute(macro)
        self.connection.execute("create table quality.files (file_id integer, batch varchar)")
        self.connection.execute("insert into quality.files values (?, ?)", [FILE, batch])
        for path in mapping_files():
            table = path.stem.removeprefix("his__")
            self.connection.execute(
                f"create table mapping.{table} as select * from read_csv(?, all_varchar = true, header = true)",
                [str(path)],
            )
        for form, spec in source().files.items():
            columns = ", ".join(f'"{name}" varchar' for name in spec.stored)
            self.connection.execute(f"create table raw.his__{form} (_row_id bigint, {columns})")
        self._line = 1

    def deliver(self, form: str, rows: Rows) -> list[int]:
        """Put rows into a raw table; returns their row ids."""
        ids = []
        for row in rows:
            self._line += 1
            ids.append(pack(FILE, self._line))
            names = ", ".join(f'"{name}"' for name in ("_row_id", *row))
            marks = ", ".join("?" for _ in range(len(row) + 1))
            self.connection.execute(f"insert into raw.his__{form} ({names}) values ({marks})", [ids[-1], *row.values()])
        return ids

    def stage(self, kind: str) -> pl.DataFrame:
        """Build a staging table, and the patients it asks for its birth months, and return it."""
        for wanted in dict.fromkeys(("patients", kind)):
            self.connection.execute(f"create or replace table staging.{wanted} as {query(wanted)}")
        frame: pl.DataFrame = self.connection.execute(f"select * from staging.{kind} order by _row_id").pl()
        return frame


def stage_cells(
    form: str, kind: str, column: str, texts: Sequence[str | None], **others: str
) -> list[dict[str, object]]:
    """One raw row for each text in `column`; the staged rows in the same order."""
    hospital = Hospital()
    hospital.deliver(form, [{**others, column: text} for text in texts])
    return hospital.stage(kind).to_dicts()
