"""Which of two conditions asks more: told from their form, and never against the rows."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.protocol.implication import compared

VALUES = [None, -1.0, 0.0, 1.0, 2.0, 3.0]
ROWS = pl.DataFrame(
    [{"x": x, "y": y, "word": word} for x in VALUES for y in VALUES for word in (None, "a", "b", "c")],
    schema={"x": pl.Float64, "y": pl.Float64, "word": pl.String},
)


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("x <= 5", "x <= 3", "tighter"),
        ("x <= 5", "x < 5", "tighter"),
        ("x >= 1", "x > 1", "tighter"),
        ("x > 1", "x >= 1", "looser"),
        ("x between 1 and 9", "x between 2 and 9", "tighter"),
        ("x between 1 and 9", "x >= 1 and x <= 9", "same"),
        ("x between 1 and 9", "x between 2 and 12", "other"),
        ("5 >= x", "x <= 5", "same"),
        ("x >= y", "x >= y and x <= 9", "tighter"),
        ("x >= y or word = 'a'", "x >= y", "tighter"),
        ("word in ('a', 'b')", "word in ('b', 'a')", "same"),
        ("word in ('a', 'b')", "word = 'a'", "tighter"),
        ("word = 'a'", "word in ('a', 'b')", "looser"),
        ("not (x > 5)", "not (x > 3)", "tighter"),
        ("x >= -3", "x >= -5", "looser"),
        ("x <= 5", "y <= 5", "other"),
        ("x = 1", "x = '1'", "other"),
        ("x >= y", "( x >= y )", "same"),
    ],
)
def test_the_way_a_condition_went(old: str, new: str, way: str) -> None:
    assert compared(old, new) == way


def atoms() -> st.SearchStrategy[str]:
    number = st.integers(-1, 3)
    comparison = st.builds(
        "{} {} {}".format, st.sampled_from("xy"), st.sampled_from(["<", "<=", ">", ">=", "="]), number
    )
    between = st.builds("x between {} and {}".format, number, number)
    listed = st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(
        lambda words: "word in (" + ", ".join(f"'{word}'" for word in words) + ")"
    )
    return comparison | between | listed | st.just("x >= y") | st.just("word = 'a'")


CONDITIONS = st.recursive(
    atoms(),
    lambda inner: (
        st.builds("({} and {})".format, inner, inner)
        | st.builds("({} or {})".format, inner, inner)
        | inner.map("not ({})".format)
    ),
    max_leaves=4,
)


def kept(condition: str) -> pl.Series:
    """Rows the condition keeps: where it is not false; what is missing is kept."""
    return ROWS.select(pl.sql_expr(condition).fill_null(value=True)).to_series()


@given(CONDITIONS, CONDITIONS)
def test_no_row_speaks_against_what_is_told(old: str, new: str) -> None:
    """A tighter condition keeps no row that the other refuses, a looser one refuses none, the same keeps the same."""
    before, after = kept(old), kept(new)
    way = compared(old, new)
    if way in ("tighter", "same"):
        assert not (after & ~before).any(), (old, new)
    if way in ("looser", "same"):
        assert not (before & ~after).any(), (old, new)


@given(CONDITIONS)
def test_a_condition_is_the_same_as_itself(condition: str) -> None:
    assert compared(condition, condition) == "same"


@given(CONDITIONS, CONDITIONS)
def test_asking_for_one_thing_more_is_tighter_and_for_one_of_two_looser(one: str, other: str) -> None:
    assert compared(one, f"({one}) and ({other})") in ("tighter", "same")
    assert compared(one, f"({one}) or ({other})") in ("looser", "same")
