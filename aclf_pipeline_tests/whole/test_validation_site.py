"""The validation site of a whole refresh, on disk: every link, every list and every query, held to the ledger."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from aclf_pipeline.reports.links import file_rows, rule_page, rule_rows
from aclf_pipeline.reports.validation_site.corrections import COLUMNS, MOST_XLSX
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.reports.reading import read
from aclf_pipeline_tests.whole.leaks import file_texts

pytestmark = pytest.mark.xdist_group("standard")

PSEUDONYM = r"\b[A-Z][0-9a-f]{16}\b"
LINES = """
    select distinct v.rule_id as rule, f.file_id, f.path as file,
        coalesce(case when row_sheet(v._row_id) > 0 then f.sheets[row_sheet(v._row_id)] end, '') as sheet,
        row_line(v._row_id) as line, v.observed
    from quality.violations as v inner join quality.files as f on f.file_id = row_file(v._row_id)
"""


@pytest.fixture(scope="module")
def reports(standard) -> Path:
    return standard.settings.reports


@pytest.fixture(scope="module")
def ledger(standard) -> pl.DataFrame:
    with Warehouse.open(standard.settings.warehouse) as wh:
        return wh.frame(LINES)


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def places(rows: list[dict[str, str]]) -> list[tuple[str, str, str, str]]:
    return sorted((row["rule"], row["file"], row["sheet"], row["line"]) for row in rows)


def known_places(ledger: pl.DataFrame) -> list[tuple[str, str, str, str]]:
    return sorted(ledger.select("rule", "file", "sheet", pl.col("line").cast(pl.String)).iter_rows())


def test_every_link_of_every_page_arrives(reports):
    pages = {path: read(path.read_text("utf-8")) for path in reports.glob("**/*.html") if "data_docs" not in path.parts}
    assert len(pages) > 100
    lost = []
    for path, page in pages.items():
        for link in page.links:
            target, _, fragment = link.partition("#")
            at = (path.parent / target).resolve() if target else path
            if not at.is_file() or (fragment and at in pages and fragment not in pages[at].ids):
                lost.append((path.name, link))
    assert lost == []


def test_every_rule_of_the_gate_has_a_page(standard, reports):
    with Warehouse.open(standard.settings.warehouse) as wh:
        rules = [rule for (rule,) in wh.rows("select distinct rule_id from quality.checks")]
    assert [rule for rule in rules if not (reports / rule_page(rule)).is_file()] == []
    assert {path.stem for path in (reports / "rules").glob("*.html")} == set(rules)


def test_the_rows_of_every_rule_are_those_of_the_ledger(reports, ledger):
    assert ledger["rule"].n_unique() > 20
    for (rule,), rows in ledger.group_by("rule"):
        assert places(lines_of(reports / rule_rows(rule))) == known_places(rows), rule


def test_the_rows_of_every_file_are_those_of_the_ledger_and_those_that_were_no_rows(standard, reports, ledger):
    with Warehouse.open(standard.settings.warehouse) as wh:
        rejects = wh.frame(
            "select row_file(_row_id) as file_id, rule_id, row_line(_row_id) as line from quality.rejects"
        )
        told = wh.rows("select path, action, line from quality.file_problems where path is not null")
    problems = {path for path, action, line in told if action == "block" or (action == "flag" and line is not None)}
    for (file_id, path), rows in ledger.group_by("file_id", "file"):
        found = lines_of(reports / file_rows(file_id, "csv"))
        torn = rejects.filter(pl.col("file_id") == file_id)
        of_rules = [row for row in found if row["rule"] in set(rows["rule"])]
        assert places(of_rules) == known_places(rows), path
        others = sorted(int(row["line"]) for row in found if row["rule"] in set(torn["rule_id"]))
        assert others == sorted(torn["line"]), path
        assert len(found) == len(of_rules) + len(others) + (path in problems), path


def test_the_workbook_has_the_same_rows_as_the_csv(reports):
    books = sorted(reports.glob("files/*/*.xlsx"))
    assert len(books) > 10
    for path in books:
        head, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        assert head == COLUMNS
        said = [["" if cell is None else str(cell) for cell in row] for row in rows]
        assert said == [list(row.values()) for row in lines_of(path.with_suffix(".csv"))][:MOST_XLSX]
        assert all(isinstance(row[2], int) for row in rows if row[2] is not None)


def test_every_row_says_what_is_wrong_and_what_to_do_and_where_it_is_known_in_which_column(reports):
    rows = [row for path in reports.glob("files/*/*.csv") for row in lines_of(path)]
    assert all(row["what is wrong"] and row["what to do"] and row["file"] for row in rows)
    labs = [row for row in rows if row["rule"] == "labs_reported_after_collected"]
    assert {row["column"] for row in labs} == {"采集时间, 报告时间"}
    unread = {row["column"] for row in rows if row["rule"] == "labs_everything_parsed"}
    assert unread <= {"采集时间", "接收时间", "报告时间", "结果", "单位"}
    repaired = {row["column"] for row in rows if row["rule"] == "infusions_weight_in_kilograms"}
    assert repaired == {"体重(kg)"}
    assert sum(bool(row["column"]) for row in rows) > 0.4 * len(rows)


def test_what_is_meant_for_the_hospital_holds_no_pseudonym(reports):
    folders = [reports / "files", *(path for path in (reports / "rules").iterdir() if path.is_dir())]
    texts = [(name, text) for folder in folders for name, text in file_texts(folder)]
    assert {name.rsplit(".", 1)[-1] for name, _ in texts} == {"html", "csv", "xlsx"}
    assert [(name, re.findall(PSEUDONYM, text)) for name, text in texts if re.search(PSEUDONYM, text)] == []


def test_the_query_of_a_page_gives_the_failing_rows(standard, reports):
    with Warehouse.open(standard.settings.warehouse) as wh:
        checks = wh.rows(
            """select c.rule_id, c.failing_rows from quality.checks as c
            inner join (select max_by(refresh_id, started_at) as refresh_id from quality.refreshes) as r
                on c.refresh_id = r.refresh_id
            where c.failing_rows > 0 and c.rule_id in (select rule_id from quality.violations)"""
        )
        assert len(checks) > 20
        for rule, failing in checks:
            page = (reports / rule_page(rule)).read_text("utf-8")
            query = html.unescape(page.split('id="query"')[1].split("<pre><code>")[1].split("</code>")[0])
            rows = wh.frame(query)
            assert rows["_row_id"].n_unique() == failing, rule
            assert {"file", "sheet", "line", "observed"} <= set(rows.columns)


def test_the_site_is_marked_as_made_of_invented_persons(reports):
    pages = [*reports.glob("*.html"), *reports.glob("rules/*.html"), *reports.glob("files/*.html")]
    assert [path.name for path in pages if "SYNTHETIC DATA" not in path.read_text("utf-8")] == []
