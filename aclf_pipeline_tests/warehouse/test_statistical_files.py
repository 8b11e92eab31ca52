"""Files for Stata and SPSS, read back by readers that did not write them: values, labels, and nothing of the clock."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pyreadstat
import pytest

from aclf_pipeline.warehouse import WarehouseError
from aclf_pipeline.warehouse.statistical_files import Labels, write_spss, write_stata

AS_OF = date(2019, 10, 31)
FRAME = pl.DataFrame(
    {
        "candidate_id": ["R1", "R2", None],
        "event": ["death", None, "censored"],
        "ascites": [2, None, 0],
        "has_hcv": [True, False, None],
        "meld": [24.5, None, 10.0],
        "event_on": [date(2018, 3, 1), None, date(2010, 1, 31)],
        "index_at": [datetime(2018, 2, 1, 10, 30), None, datetime(2010, 1, 1)],
        "event_days": [30, None, 0],
        "nothing": pl.Series([None, None, None], dtype=pl.String),
    }
)
LABELS = Labels(
    variables={
        "event": "What happened first",
        "ascites": "Ascites",
        "meld": "MELD, " + "long " * 100,
        "has_hcv": "丙肝",
    },
    vocabularies={"event": ("death", "transplant", "censored")},
    grades={"ascites": {0: "none", 1: "mild", 2: "moderate or large"}},
)


def test_stata_of_pandas_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "cohort.dta"
    write_stata(path, FRAME, LABELS, AS_OF)
    with pd.read_stata(path, iterator=True) as reader:
        labels, values = reader.variable_labels(), reader.value_labels()
    assert labels["event"] == "What happened first"
    assert labels["has_hcv"] == "丙肝"
    assert labels["meld"].startswith("MELD, long")
    assert len(labels["meld"]) == 80
    assert list(values.values()).count({1: "death", 2: "transplant", 3: "censored"}) == 1
    frame = pd.read_stata(path)
    assert frame["event"].tolist()[0::2] == ["death", "censored"]
    assert frame["event"].isna().tolist() == [False, True, False]
    assert frame["ascites"].tolist()[0::2] == ["moderate or large", "none"]
    assert frame["has_hcv"].tolist()[:2] == ["yes", "no"]
    assert frame["event_on"].tolist()[0] == pd.Timestamp("2018-03-01")
    assert frame["index_at"].tolist()[0] == pd.Timestamp("2018-02-01 10:30")
    assert frame["meld"].isna().tolist() == [False, True, False]
    assert frame["candidate_id"].tolist() == ["R1", "R2", ""]


def test_stata_written_by_pandas_is_read_by_readstat_which_did_not_write_it(tmp_path: Path) -> None:
    path = tmp_path / "cohort.dta"
    write_stata(path, FRAME, LABELS, AS_OF)
    frame, meta = pyreadstat.read_dta(str(path))
    assert meta.column_names_to_labels["event"] == "What happened first"
    assert meta.variable_value_labels["ascites"] == {0: "none", 1: "mild", 2: "moderate or large"}
    assert frame["event"].tolist()[0] == 1
    assert frame["event_on"].tolist()[0] == date(2018, 3, 1)


def test_spss_has_labels_values_days_and_missing(tmp_path: Path) -> None:
    path = tmp_path / "cohort.sav"
    write_spss(path, FRAME, LABELS, AS_OF)
    frame, meta = pyreadstat.read_sav(str(path))
    assert meta.column_names == FRAME.columns
    assert meta.column_names_to_labels["has_hcv"] == "丙肝"
    assert len(meta.column_names_to_labels["meld"].encode()) <= 256
    assert meta.variable_value_labels == {
        "event": {1: "death", 2: "transplant", 3: "censored"},
        "ascites": {0: "none", 1: "mild", 2: "moderate or large"},
        "has_hcv": {0: "no", 1: "yes"},
    }
    assert meta.variable_measure["event"] == "nominal"
    assert meta.variable_measure["meld"] == "scale"
    assert frame["event"].tolist()[0::2] == [1, 3]
    assert frame["event"].isna().tolist() == [False, True, False]
    assert frame["event_on"].tolist()[0] == date(2018, 3, 1)
    assert frame["index_at"].tolist()[0] == datetime(2018, 2, 1, 10, 30)
    labelled, _ = pyreadstat.read_sav(str(path), apply_value_formats=True)
    assert labelled["ascites"].tolist()[0] == "moderate or large"


def test_the_header_of_spss_is_what_its_format_says_and_knows_no_clock(tmp_path: Path) -> None:
    """PSPP's description of the format: '$FL2', 60 bytes of product, seven numbers, 9 bytes of date, 8 of time."""
    path = tmp_path / "cohort.sav"
    write_spss(path, FRAME, LABELS, AS_OF)
    content = path.read_bytes()
    assert content[:4] == b"$FL2"
    assert content[92:109] == b"31 Oct 1900:00:00"
    _, meta = pyreadstat.read_sav(str(path))
    assert meta.creation_time == datetime(2019, 10, 31)


@pytest.mark.parametrize("write", [write_stata, write_spss])
def test_the_same_frame_is_the_same_file(tmp_path: Path, write) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, FRAME, LABELS, AS_OF)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("write", [write_stata, write_spss])
def test_what_the_formats_cannot_say_is_refused_in_words(tmp_path: Path, write) -> None:
    with pytest.raises(WarehouseError, match="'event' has 1 words outside its vocabulary"):
        write(tmp_path / "a", FRAME, Labels(vocabularies={"event": ("death",)}), AS_OF)
    long = "x" * 64
    with pytest.raises(WarehouseError, match="apart in"):
        write(tmp_path / "a", pl.DataFrame({f"{long}1": [1], f"{long}2": [1]}), LABELS, AS_OF)


@pytest.mark.parametrize("write", [write_stata, write_spss])
def test_a_frame_without_rows_is_a_file_without_rows(tmp_path: Path, write) -> None:
    write(tmp_path / "a", FRAME.clear(), LABELS, AS_OF)
    read = pyreadstat.read_dta if write is write_stata else pyreadstat.read_sav
    frame, meta = read(str(tmp_path / "a"))
    assert (len(frame), meta.column_names) == (0, FRAME.columns)
