"""Tables drawn in text for the tests of this room: a header line, then one line per row, cells split at bars."""

from __future__ import annotations

import polars as pl


def draw(text: str, **dtypes: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """Read a drawn table; an empty cell is null; columns are text unless a dtype is given."""
    lines = [[cell.strip() for cell in line.strip().split("|")] for line in text.strip().splitlines()]
    header, *rows = lines
    frame = pl.DataFrame(
        {name: [row[i] or None for row in rows] for i, name in enumerate(header)},
        schema=dict.fromkeys(header, pl.String),
    )
    return frame.with_columns(_cast(name, dtype) for name, dtype in dtypes.items())


def _cast(name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    if dtype == pl.Boolean:
        return pl.col(name).replace_strict({"yes": True, "no": False}, return_dtype=pl.Boolean).alias(name)
    if dtype == pl.Date:
        return pl.col(name).str.to_date()
    return pl.col(name).cast(dtype)
