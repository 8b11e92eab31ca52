"""Releases: the same content is the same folder; a folder never changes; no identifier gets out."""

from __future__ import annotations

import json
import stat
from datetime import date

import pandas as pd
import polars as pl
import pytest

from aclf_pipeline.warehouse import Warehouse, WarehouseError
from aclf_pipeline.warehouse.release import content_digest, publish, verify

DAY = date(2019, 10, 31)


@pytest.fixture
def wh(tmp_path):
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        cohort = pl.DataFrame(
            {
                "candidate_id": ["C2", "C1"],
                "meld": [24.5, None],
                "event": [None, "death"],
                "event_on": [None, date(2018, 3, 1)],
                "event_days": [None, 30],
                "has_hcv": [False, True],
                "nothing": pl.Series([None, None], dtype=pl.String),
            }
        )
        wh.write("marts.cohort", cohort)
        wh.write(
            "marts.cohort_provenance",
            pl.DataFrame({"candidate_id": ["C1"], "variable": ["meld"], "row_ids": [[140_737_488_355_840, 2]]}),
        )
        yield wh


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "study.html"
    path.write_text("<p>made at 12:00</p>", "utf-8")
    return path


def release(wh, tmp_path, page, protocol="p1"):
    return publish(wh, "study", DAY, tmp_path / "releases", {"study.html": page}, protocol_digest=protocol)


def test_a_release_holds_tables_pages_and_a_manifest_of_their_hashes(wh, tmp_path, page):
    made = release(wh, tmp_path, page)
    assert made.is_new
    assert made.path.name == f"2019-10-31-{made.digest}"
    names = {path.name for path in made.path.iterdir()}
    assert names == {
        "cohort.parquet", "cohort.csv", "cohort.dta", "cohort.sav", "cohort_provenance.parquet",
        "cohort_provenance.csv",
        "study.html", "manifest.json",
    }  # fmt: skip
    manifest = json.loads((made.path / "manifest.json").read_text("utf-8"))
    assert (manifest["study"], manifest["as_of"], manifest["digest"]) == ("study", "2019-10-31", made.digest)
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert verify(made.path) == []
    assert pl.read_parquet(made.path / "cohort.parquet")["candidate_id"].to_list() == ["C1", "C2"]
    assert "140737488355840;2" in (made.path / "cohort_provenance.csv").read_text("utf-8")


def test_stata_reads_the_cohort(wh, tmp_path, page):
    frame = pd.read_stata(release(wh, tmp_path, page).path / "cohort.dta")
    assert frame["candidate_id"].tolist() == ["C1", "C2"]
    assert frame["event_on"].tolist()[0] == pd.Timestamp("2018-03-01")
    assert frame["meld"].isna().tolist() == [True, False]


def test_the_same_content_is_not_written_twice_whatever_the_clock_says(wh, tmp_path, page):
    first = release(wh, tmp_path, page)
    page.write_text("<p>made at 13:00</p>", "utf-8")
    again = release(wh, tmp_path, page)
    assert (again.path, again.digest, again.is_new) == (first.path, first.digest, False)
    assert (first.path / "study.html").read_text("utf-8") == "<p>made at 12:00</p>"
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [first.path.name]


@pytest.mark.parametrize("change", ["value", "protocol", "file"])
def test_other_content_is_another_release(wh, tmp_path, page, change):
    first, content = release(wh, tmp_path, page), content_digest(wh)
    if change == "value":
        wh.execute("update marts.cohort set meld = 25 where candidate_id = 'C2'")
    if change == "file":
        wh.execute(
            "insert into quality.files by name select 1 as file_id, 's' as source, 'b' as batch, 'p' as path,"
            " 'n' as name, 'k' as kind, 'raw.t' as raw_table, 'f' as form, 'abc' as sha256, 1 as bytes, 1 as columns,"
            " 1 as rows, false as is_snapshot, 'loaded' as state, timestamp '2020-01-01' as loaded_at"
        )
    same_tables = change != "value"
    assert (content_digest(wh) == content) == same_tables
    second = release(wh, tmp_path, page, "p2" if change == "protocol" else "p1")
    assert second.is_new
    assert second.digest != first.digest
    assert verify(first.path) == []


def test_files_of_a_release_cannot_be_written(wh, tmp_path, page):
    made = release(wh, tmp_path, page)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in made.path.iterdir())


def test_tampering_shows(wh, tmp_path, page):
    made = release(wh, tmp_path, page)
    (made.path / "cohort.csv").chmod(0o644)
    (made.path / "cohort.csv").write_text("x", "utf-8")
    (made.path / "study.html").unlink()
    (made.path / "more.txt").write_text("x", "utf-8")
    assert verify(made.path) == ["study.html is missing", "more.txt is not listed", "cohort.csv has changed"]


def test_without_a_cohort_or_a_page_there_is_no_release(wh, tmp_path, page):
    with pytest.raises(WarehouseError, match="is not there"):
        publish(wh, "study", DAY, tmp_path / "releases", {"x.html": tmp_path / "no.html"}, protocol_digest="p")
    wh.execute("drop table marts.cohort")
    with pytest.raises(WarehouseError, match=r"no marts\.cohort"):
        release(wh, tmp_path, page)
    assert not (tmp_path / "releases").exists()


@pytest.mark.parametrize("leak", ["电话13800138000", "id 990101197104120537"])
@pytest.mark.parametrize("where", ["table", "page"])
def test_what_looks_like_an_identifier_is_not_published_and_not_told(wh, tmp_path, page, leak, where):
    if where == "table":
        wh.execute("update marts.cohort set event = ? where candidate_id = 'C1'", [leak])
    else:
        page.write_text(f"<p>{leak}</p>", "utf-8")
    with pytest.raises(WarehouseError, match="direct identifier") as error:
        release(wh, tmp_path, page)
    assert "138" not in str(error.value)
    assert "990101" not in str(error.value)
    assert not (tmp_path / "releases").exists()
