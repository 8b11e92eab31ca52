"""Numbers are written one way everywhere, and what is missing is never written as a number."""

from __future__ import annotations

import math
import re
from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.reports import tables

WRITTEN = """
p_value        0.0000001   <0.001
p_value        0.0009999   <0.001
p_value        0.001       0.001
p_value        0.0496      0.050
p_value        0.0994      0.099
p_value        0.0996      0.10
p_value        0.5         0.50
p_value        0.999       >0.99
ratio          1.234       1.23
ratio          0.004       <0.01
ratio          250         >100
percent        0           0.0 %
percent        1           100.0 %
percent        0.3333      33.3 %
percent        0.00001     <0.1 %
percent        0.99999     >99.9 %
threshold      0.001       0.1 %
threshold      0.95        95 %
count          1204        1,204
count_rows     1           1 row
count_rows     0           0 rows
number         0           0
number         312.4       312
number         12345.6     12,346
number         0.0123456   0.0123
number         0.00000012  1.20e-07
number         1.50        1.5
"""


@pytest.mark.parametrize("line", WRITTEN.strip().splitlines())
def test_a_number_is_written_as_drawn(line: str) -> None:
    name, value, expected = line.split(maxsplit=2)
    assert getattr(tables, name)(float(value)).replace("\u00a0", " ") == expected


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
@pytest.mark.parametrize("name", ["count", "number", "percent", "threshold", "p_value", "ratio", "plain"])
def test_missing_is_a_dash(name: str, missing: float | None) -> None:
    assert getattr(tables, name)(missing) == tables.MISSING


@given(st.floats(0, 1))
def test_a_p_value_is_never_nought_or_one(p: float) -> None:
    assert float(tables.p_value(p).strip("<>")) not in (0.0, 1.0)


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_between_none_and_all_is_written_as_neither(share: float) -> None:
    assert tables.percent(share) not in ("0.0\u00a0%", "100.0\u00a0%")


@given(st.floats(0.5, 0.9999), st.floats(1.0001, 2))
def test_an_interval_never_puts_a_limit_on_one_that_is_not(low: float, high: float) -> None:
    for lower, upper in ((low, high), (low * 0.9, low), (high, high * 1.1)):
        limits = re.findall(r"\((.+)–(.+)\)", tables.ratio_interval(1.0, lower, upper))[0]
        rounded_away = abs(lower - 1) < 5e-5 or abs(upper - 1) < 5e-5
        assert rounded_away or 1.0 not in map(float, limits)


def test_a_ratio_without_limits_keeps_its_place() -> None:
    assert tables.ratio_interval(1.5, None, 2.0) == "1.50 (–)"
    assert tables.ratio_interval(None, 1.0, 2.0) == "–"


def test_percentages_are_not_given_for_a_handful() -> None:
    assert tables.n_percent(3, 12) == "3 of 12"
    assert tables.n_percent(12, 60) == "12 (20\u00a0%)"
    assert tables.n_percent(150, 446) == "150 (33.6\u00a0%)"
    assert tables.n_percent(3, 0) == "3"


def test_small_cells_can_be_withheld() -> None:
    assert [tables.few(n, 5) for n in (0, 1, 4, 5, None)] == ["0", "<5", "<5", "5", "–"]


def test_shares_carry_their_limits() -> None:
    assert tables.share_interval(0.671, 0.629, 0.714) == "67.1\u00a0% (62.9–71.4\u00a0%)"
    assert tables.share_interval(0.671, None, None) == "67.1\u00a0%"


def test_a_cell_of_a_frame_reads_as_text() -> None:
    cells = [True, date(2019, 10, 31), datetime.fromisoformat("2019-10-31T08:15"), ["a", 1], "x", None]
    assert [tables.plain(cell) for cell in cells] == ["yes", "2019-10-31", "2019-10-31 08:15", "a, 1", "x", "–"]


def test_every_missing_column_is_named_at_once() -> None:
    frame = pl.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match="'b'") as caught:
        tables.require("page", {"one": (frame, ("a", "b")), "two": (frame, ("c",)), "none": (frame.clear(), ("d",))})
    assert len(str(caught.value).splitlines()) == 2
