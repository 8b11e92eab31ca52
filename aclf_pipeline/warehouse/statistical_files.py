"""Tables for Stata (.dta) and SPSS (.sav), with labels of variables and values, the same bytes whenever they are made.

Words of a closed vocabulary become whole numbers from 1 with the words as labels, yes and no become 1 and 0, a graded
column keeps its numbers and gets their labels. What is missing is missing (a system-missing number, an empty text).

What does not belong here: what a column means (contracts, protocol) and which tables are released (release).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pyreadstat

from aclf_pipeline.warehouse.connection import WarehouseError

STATA_NAME, STATA_LABEL, SPSS_NAME, SPSS_LABEL = 32, 80, 64, 256
"""The longest names and labels of variables: characters in Stata, bytes in SPSS."""
_SAV_DATE = slice(92, 109)
"""Where the header of a .sav file says when it was made: nine characters of a date, eight of a time."""
_YES_NO = {0: "no", 1: "yes"}


@dataclass(frozen=True)
class Labels:
    """What the columns of one table mean: a label per column, vocabularies of text columns, labels of grades."""

    variables: Mapping[str, str] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grades: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def write_stata(path: Path, frame: pl.DataFrame, labels: Labels, as_of: date) -> None:
    """Write a flat frame for Stata 14 and later; days and times are Stata's own.

    Raises WarehouseError where two names are one after the 32 characters Stata allows, or a text is not of its
    vocabulary.
    """
    names = _short(path, frame, STATA_NAME)
    coded, values = _coded(path, frame, labels)
    pandas, dates = coded.to_pandas(), {}
    for name, dtype in coded.schema.items():
        if dtype.is_temporal():
            pandas[name] = pandas[name].astype("datetime64[ns]")
            dates[names[name]] = "td" if dtype == pl.Date else "tc"
    pandas.columns = [names[name] for name in coded.columns]
    pandas.to_stata(
        path,
        write_index=False,
        version=118,
        convert_dates=dates,
        time_stamp=datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC),
        variable_labels={names[name]: text[:STATA_LABEL] for name, text in _texts(frame, labels).items()},
        value_labels={names[name]: dict(pairs) for name, pairs in values.items()},
    )


def write_spss(path: Path, frame: pl.DataFrame, labels: Labels, as_of: date) -> None:
    """Write a flat frame for SPSS; days and times are SPSS's own. Errors as `write_stata`, at 64 bytes."""
    names = _short(path, frame, SPSS_NAME)
    coded, values = _coded(path, frame, labels)
    pandas = coded.to_pandas()
    for name, dtype in coded.schema.items():
        if dtype == pl.Date:
            pandas[name] = pd.Series(coded[name].to_list(), dtype="object")
    pandas.columns = [names[name] for name in coded.columns]
    nominal = {name for name, dtype in coded.schema.items() if dtype == pl.String} | set(values)
    pyreadstat.write_sav(
        pandas,
        str(path),
        column_labels={names[name]: _cut(text, SPSS_LABEL) for name, text in _texts(frame, labels).items()},
        variable_value_labels={names[name]: dict(pairs) for name, pairs in values.items()},
        variable_measure={names[name]: "nominal" if name in nominal else "scale" for name in coded.columns},
    )
    _stamp(path, as_of)


def _short(path: Path, frame: pl.DataFrame, longest: int) -> dict[str, str]:
    """Each name cut to what the format allows; they must stay apart."""
    names = {name: _cut(name, longest) for name in frame.columns}
    if len(set(names.values())) < len(names):
        twice = [name for name, cut in names.items() if list(names.values()).count(cut) > 1]
        raise WarehouseError(f"release: {path.name} cannot tell {' and '.join(twice)} apart in {longest} characters.")
    return names


def _cut(text: str, longest: int) -> str:
    """A text of at most so many bytes of UTF-8."""
    return text.encode("utf-8")[:longest].decode("utf-8", "ignore")


def _texts(frame: pl.DataFrame, labels: Labels) -> dict[str, str]:
    return {name: labels.variables.get(name, name) for name in frame.columns}


def _coded(path: Path, frame: pl.DataFrame, labels: Labels) -> tuple[pl.DataFrame, dict[str, dict[int, str]]]:
    """The frame as numbers, texts and days, and the labels of its numbers."""
    values: dict[str, dict[int, str]] = {}
    columns: list[pl.Expr] = []
    for name, dtype in frame.schema.items():
        words = labels.vocabularies.get(name)
        if words is not None:
            strange = frame.filter(~pl.col(name).is_in(list(words)))[name].drop_nulls().n_unique()
            if strange:
                raise WarehouseError(f"release: {path.name}: '{name}' has {strange} words outside its vocabulary.")
            codes = {word: float(place) for place, word in enumerate(words, start=1)}
            columns.append(pl.col(name).replace_strict(codes, return_dtype=pl.Float64))
            values[name] = dict(enumerate(words, start=1))
        elif dtype == pl.Boolean:
            columns.append(pl.col(name).cast(pl.Float64))
            values[name] = dict(_YES_NO)
        elif dtype in (pl.String, pl.Null):
            columns.append(pl.col(name).cast(pl.String).fill_null(""))
        else:
            columns.append(pl.col(name).cast(pl.Float64) if dtype.is_integer() else pl.col(name))
            if name in labels.grades:
                values[name] = dict(labels.grades[name])
    return frame.select(columns), values


def _stamp(path: Path, as_of: date) -> None:
    """Say in the header of a .sav file that it was made on `as_of`, not when the clock says."""
    content = bytearray(path.read_bytes())
    content[_SAV_DATE] = f"{as_of:%d %b %y}00:00:00".encode("ascii")
    path.write_bytes(content)
