"""House rule 8: no direct identifier reaches the warehouse, a log, Dagster's event store, a page or a release.

Two homes are searched: a clean hospital of some hundred persons, and a small one in whose free texts, unlisted columns
and file names identifiers were planted. The second is refreshed in a process of its own, whose output is searched too.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from aclf_pipeline.settings import Settings
from aclf_pipeline.simulate import write_bundle
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.privacy import check_character
from aclf_pipeline_tests.whole import canaries
from aclf_pipeline_tests.whole.leaks import Identifiers, file_bytes, file_texts, identifiers, warehouse_cells

pytestmark = pytest.mark.xdist_group("clean")

SEEN = Identifiers(frozenset(), frozenset({"总胆红素"}))
"""What may be in a warehouse and is: proof that the search sees."""
ACLF = [sys.executable, "-W", "error", "-c", "from aclf_pipeline.cli import app; app()"]


@dataclass(frozen=True)
class Home:
    """A refreshed home, what may be found nowhere in it, and what its refresh wrote to the terminal."""

    settings: Settings
    secrets: Identifiers
    planted: canaries.Planted = field(default_factory=canaries.Planted)
    telling: str = ""
    exit_code: int = 0
    said: str = ""


@pytest.fixture(scope="module")
def clean_home(clean):
    return Home(clean.settings, identifiers(clean.settings.exports))


@pytest.fixture(scope="module")
def canary_home(tmp_path_factory):
    root = tmp_path_factory.mktemp("canaries")
    write_bundle(root / "bundle", n_persons=40, seed=3, profile="clean")
    exports = root / "bundle" / "exports" / "his"
    delivered = identifiers(exports)
    planted = canaries.plant(exports)
    telling = canaries.telling_batch(exports, max(delivered.names, key=len))
    settings = Settings(home=root / "home", exports_dir=exports)
    done = aclf(settings, "refresh")
    said = done.stdout + done.stderr
    return Home(settings, delivered | planted.canaries, planted, telling, done.returncode, said)


@pytest.fixture(scope="module", params=["clean_home", "canary_home"])
def home(request):
    return request.getfixturevalue(request.param)


def aclf(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    given = {"ACLF_HOME": str(settings.root), "ACLF_EXPORTS_DIR": str(settings.exports), "COLUMNS": "400"}
    return subprocess.run(
        [*ACLF, *words], env={**os.environ, **given}, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_there_is_something_to_look_for(home):
    kinds = {
        "record numbers": r"0\d{6}", "telephones": r"1[3-9]\d{9}", "identity numbers": r"\d{17}[\dX]",
    }  # fmt: skip
    assert {
        what: any(re.fullmatch(form, n) for n in home.secrets.numbers) for what, form in kinds.items()
    } == dict.fromkeys(kinds, True)
    assert len(home.secrets.names) > 40
    assert any("号" in text for text in home.secrets.texts)


def test_no_cell_of_the_warehouse_holds_an_identifier(home):
    cells = dict(warehouse_cells(home.settings.warehouse))
    found = {place: home.secrets.in_text(text) for place, text in cells.items()}
    assert {place: words for place, words in found.items() if words} == {}
    # the search sees what may be there
    assert SEEN.in_text(cells["raw.his__lab_results.项目名称"]) == SEEN.texts
    assert len(cells) > 300


def test_no_byte_of_the_warehouse_spells_an_identifier(home):
    data = home.settings.warehouse.read_bytes()
    assert home.secrets.in_bytes(data) == set()
    assert SEEN.in_bytes(data) == SEEN.texts


@pytest.mark.parametrize(
    ("folder", "known"),
    [
        ("dagster", "labs_within_hard_limits"),
        ("reports", "SYNTHETIC DATA"),
        ("releases", "cohort_provenance"),
        ("great_expectations", "cohort_size"),
    ],
)
def test_no_file_that_a_refresh_leaves_behind_holds_an_identifier(home, folder, known):
    """Dagster's event store and logs, pages and figures, releases."""
    texts = list(file_texts(home.settings.root / folder))
    found = {name: home.secrets.in_text(text) for name, text in texts}
    assert {name: words for name, words in found.items() if words} == {}
    spelt = {name: home.secrets.in_bytes(data) for name, data in file_bytes(home.settings.root / folder)}
    assert {name: words for name, words in spelt.items() if words} == {}
    assert any(known in text for _, text in texts)


SITE = (
    r"validation\.html", r"rules/\w+\.html", r"rules/\w+/rows_to_correct\.csv", r"files/\d+\.html",
    r"files/\d+/rows_to_correct\.csv", r"files/\d+/rows_to_correct\.xlsx",
)  # fmt: skip


def test_every_sort_of_page_and_download_was_there_to_be_searched(canary_home):
    reports = canary_home.settings.reports
    names = [path.relative_to(reports).as_posix() for path in reports.rglob("*")]
    assert [form for form in SITE if not any(re.fullmatch(form, name) for name in names)] == []


def test_the_home_holds_no_file_that_is_not_searched(home):
    names = {path.name for path in home.settings.root.iterdir()}
    assert names - {"webserver.log"} == {
        "dagster", "great_expectations", "pseudonym.key", "releases", "reports", "warehouse",
    }  # fmt: skip
    assert {path.name for path in home.settings.warehouse.parent.iterdir()} == {"his.duckdb"}


def test_what_a_refresh_says_in_the_terminal_holds_no_identifier(canary_home):
    assert "checks passed" in canary_home.said
    assert canary_home.secrets.in_text(canary_home.said) == set()


def test_a_traced_value_shows_the_redacted_text_of_its_row(canary_home):
    with Warehouse.open(canary_home.settings.warehouse) as wh:
        candidate = wh.scalar(
            f"""select f.candidate_id from intermediate.facts as f, unnest(f.row_ids) as ids (id)
                inner join raw.his__cell_infusions as r on r._row_id = row_raw(ids.id)
                where f.variable = 'infusions' and r.备注 like '%{canaries.KEPT}%' order by all limit 1"""
        )
    done = aclf(canary_home.settings, "trace", candidate, "infusions")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{canaries.KEPT}：[姓名]" in done.stdout
    assert canary_home.secrets.in_text(done.stdout) == set()


def test_a_planted_identifier_is_redacted_and_the_words_around_it_stay(canary_home):
    with Warehouse.open(canary_home.settings.warehouse) as wh:
        texts = {
            (table, column): [
                text
                for (text,) in wh.rows(f'select "{column}" from {table} where "{column}" like \'%{canaries.KEPT}%\'')
            ]
            for table in sorted(wh.tables())
            if table.startswith("raw.")
            for column, _ in wh.columns(table)
            if column in canaries.FREE_TEXT
        }
        receipts = dict(
            wh.rows("select column_name, count(*) from quality.receipts where rule_id = 'phi_in_text' group by all")
        )
    assert all(texts.values()), "every free-text column of every kind was given canaries"
    marks = ("[姓名]", "[病案号]", "[电话]", "[身份证号]", "[地址]")
    assert [text for found in texts.values() for text in found if not all(mark in text for mark in marks)] == []
    assert receipts == canary_home.planted.cells


def test_an_unlisted_column_is_flagged_and_not_stored(canary_home):
    with Warehouse.open(canary_home.settings.warehouse) as wh:
        flagged = wh.rows("select distinct message from quality.file_problems where rule_id = 'column_extra'")
        stored = {name for table in wh.tables() for name, _ in wh.columns(table)}
    assert flagged == [("The column 'YBH' is not listed for '病案首页'; it was not stored",)]
    assert canaries.UNLISTED not in stored


def test_a_file_named_after_a_patient_is_refused_and_its_name_is_told_nowhere(canary_home):
    with Warehouse.open(canary_home.settings.warehouse) as wh:
        states = dict(wh.rows("select batch, state from quality.batches"))
        problems = wh.rows(
            "select path, message from quality.file_problems where rule_id = 'phi_in_filename' and batch = ?",
            [canary_home.telling],
        )
    assert canary_home.exit_code == 1
    assert states.pop(canary_home.telling) == "blocked"
    assert set(states.values()) == {"loaded"}
    assert [(path, message.split(" ")[3]) for path, message in problems] == [(None, "2")]


SECRET = Identifiers(frozenset({"0373191", "13912345678", "99010119490217123X"}), frozenset({"潘丽华", "欧阳𫖯"}))


def plant_text(path: Path, text: str) -> None:
    path.with_suffix(".log").write_text(f"… {text} …", "utf-8")


def plant_html(path: Path, text: str) -> None:
    path.with_suffix(".html").write_text("".join(f"&#{ord(c)};" for c in text), "utf-8")


def plant_json(path: Path, text: str) -> None:
    path.with_suffix(".json").write_text(json.dumps(json.dumps({"said": f"({text})"})), "utf-8")


def plant_parquet(path: Path, text: str) -> None:
    pl.DataFrame({"a": [text] * 3}).write_parquet(path.with_suffix(".parquet"), compression="zstd")


def plant_workbook(path: Path, text: str) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = f"({text})"
    book.save(path.with_suffix(".xlsx"))


def plant_event(path: Path, text: str) -> None:
    with closing(sqlite3.connect(path.with_suffix(".db"))) as con, con:
        con.execute("create table snapshots (body blob)")
        con.execute("insert into snapshots values (?)", [zlib.compress(json.dumps([text]).encode())])


@pytest.mark.parametrize("secret", sorted(SECRET.numbers | SECRET.texts))
@pytest.mark.parametrize("plant", [plant_text, plant_html, plant_json, plant_parquet, plant_workbook, plant_event])
def test_the_search_sees_an_identifier_wherever_it_hides(tmp_path, plant, secret):
    plant(tmp_path / "file", secret)
    assert set().union(*(SECRET.in_text(text) for _, text in file_texts(tmp_path))) == {secret}


@pytest.mark.parametrize("text", ["10373191", "0373191.5", "0.0373191", "x0373191", "R0373191a", "139123456781"])
def test_a_number_inside_a_longer_one_is_chance(text):
    assert SECRET.in_text(text) == set()


@pytest.mark.parametrize("text", ["0373191。", "(0373191)", "病案号0373191", "0373191-2", "住院号:0373191."])
def test_a_record_number_that_stands_by_itself_is_seen(text):
    assert SECRET.in_text(text) == {"0373191"}


@pytest.mark.parametrize("seventeen", [canaries.SEVENTEEN, "99010119710412053", "11010519491231002"])
def test_the_canary_is_a_number_the_house_takes_for_valid(seventeen):
    """The last is the example printed in GB 11643-1999, 11010519491231002X."""
    assert canaries.check_character(seventeen) == check_character(seventeen)
