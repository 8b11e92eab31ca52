"""A row id is the place of a row, packed: nothing is lost, no two places share an id, SQL and Python agree."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.warehouse import Warehouse
from aclf_pipeline.warehouse.row_id import (
    MAX_FILE,
    MAX_ITEM,
    MAX_LINE,
    MAX_SHEET,
    Place,
    pack,
    pack_lines,
    unpack,
)

places = st.builds(
    Place,
    st.integers(1, MAX_FILE),
    st.integers(0, MAX_SHEET),
    st.integers(0, MAX_LINE),
    st.integers(0, MAX_ITEM),
)


@given(places)
def test_a_place_survives_packing(place):
    row_id = pack(place.file_id, place.line, place.sheet, place.item)
    assert unpack(row_id) == place
    assert 0 < row_id < 2**63


@given(places, places)
def test_ids_are_in_the_order_of_file_sheet_line_item(one, other):
    as_tuple = lambda p: (p.file_id, p.sheet, p.line, p.item)  # noqa: E731
    as_id = lambda p: pack(p.file_id, p.line, p.sheet, p.item)  # noqa: E731
    assert (as_tuple(one) < as_tuple(other)) == (as_id(one) < as_id(other))


@pytest.mark.parametrize(
    ("part", "value"),
    [("file_id", 0), ("file_id", MAX_FILE + 1), ("sheet", 64), ("line", 2**32), ("item", 256), ("line", -1)],
)
def test_a_part_that_does_not_fit_is_refused_by_name(part, value):
    parts = {"file_id": 1, "line": 1, "sheet": 0, "item": 0} | {part: value}
    with pytest.raises(ValueError, match=f"{part} is {value}"):
        pack(**parts)


def test_many_lines_are_packed_as_one_by_one():
    lines = pl.Series([2, 3, 4_000_000_000])
    assert pack_lines(7, lines, sheet=3).to_list() == [pack(7, line, 3) for line in lines]
    with pytest.raises(ValueError, match="beyond"):
        pack_lines(7, pl.Series([MAX_LINE + 1]))


def test_sql_reads_an_id_as_python_does(tmp_path):
    drawn = [Place(1, 0, 2, 0), Place(MAX_FILE, MAX_SHEET, MAX_LINE, MAX_ITEM), Place(12, 4, 90_000, 17)]
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        for place in drawn:
            row_id = pack(place.file_id, place.line, place.sheet, place.item)
            (found,) = wh.rows(
                "select row_file($id), row_sheet($id), row_line($id), row_raw($id), row_item(row_raw($id), 9)",
                {"id": row_id},
            )
            raw = pack(place.file_id, place.line, place.sheet)
            assert found == (place.file_id, place.sheet, place.line, raw, raw + 9)
