"""A Parquet file as a grid of text cells: every value as its exact text, timestamps ISO, null stays null.

What does not belong here: types (the SQL gives them back) and column selection (`headers`).
"""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl

from aclf_pipeline.warehouse.csv_records import Grid
from aclf_pipeline.warehouse.findings import RefusedError, truncated


def read_parquet(data: bytes) -> Grid:
    """All rows, numbered from 1. Raises RefusedError (`truncated_file`) when the file cannot be read."""
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RefusedError(truncated(f"The Parquet file cannot be read ({str(error).splitlines()[0][:80]})")) from error
    columns = [_as_text(pl.col(name), dtype).alias(str(i)) for i, (name, dtype) in enumerate(frame.schema.items())]
    lines = pl.Series("line", range(1, frame.height + 1), dtype=pl.Int64)
    return Grid(list(frame.columns), frame.select(columns), lines)


def _as_text(column: pl.Expr, dtype: Any) -> pl.Expr:
    """A cast to text that loses nothing. A zoned timestamp is written in UTC with its offset."""
    if isinstance(dtype, pl.Datetime):
        zone = "+00:00" if dtype.time_zone else ""
        moment = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
        return moment.dt.to_string("%Y-%m-%d %H:%M:%S%.f" + zone)
    if isinstance(dtype, pl.List | pl.Array | pl.Struct):
        return column.map_elements(_json, return_dtype=pl.String)
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    if dtype == pl.Boolean:
        return pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    return column.cast(pl.String)


def _json(value: Any) -> str:
    return json.dumps(value.to_list() if isinstance(value, pl.Series) else value, ensure_ascii=False, default=str)
