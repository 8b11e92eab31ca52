"""An intensive care unit by hand: raw cells of source clif in, its staging tables out, in a real warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import load_mappings
from aclf_pipeline.warehouse.row_id import pack
from aclf_pipeline.warehouse.sources import Source, load_source

SQL = Path(__file__).resolve().parents[2] / "sql"
CLIF = SQL / "staging" / "clif"
FILE = 1
STAY = {"patient_id": "R1", "hospitalization_id": "H1", "admission_dttm": "2150-03-01 08:00:00+00:00",
        "discharge_dttm": "2150-03-09 12:00:00+00:00", "age_at_admission": "52",
        "discharge_category": "Home"}  # fmt: skip

Rows = Sequence[Mapping[str, str | None]]


def source() -> Source:
    return load_source(CLIF)


def stage(wh: Warehouse, kind: str, **delivered: Rows) -> list[dict[str, object]]:
    """The staged rows of a kind, in the order of the raw ones; stay H1 of patient R1 is there unless told otherwise."""
    load_mappings(wh, SQL, "clif")
    line = 0
    for form, spec in source().files.items():
        columns = {"_row_id": pl.Int64, **dict.fromkeys(spec.stored, pl.String)}
        rows = list(delivered.get(form, [STAY] if form == "hospitalization" else []))
        unknown = {name for row in rows for name in row} - columns.keys()
        assert not unknown, f"{form} stores no {unknown}"
        read = [{"_row_id": pack(FILE, line + at), **row} for at, row in enumerate(rows, start=1)]
        line += len(rows)
        wh.write(f"raw.clif__{form}", pl.DataFrame(read, schema=columns))
    wh.execute(f"create or replace table staging.{kind} as {(CLIF / f'clif__{kind}.sql').read_text('utf-8')}")
    return wh.frame(f"select * from staging.{kind} order by _row_id").to_dicts()
