"""What people see in a real browser: from a failed check in Dagster to the rule, its rows and the lists to send."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import openpyxl
import pytest

from aclf_pipeline.assets.serve import environment, reports_server
from aclf_pipeline_tests.conftest import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("standard"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: install it to run the browser tests"),
]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
]  # fmt: skip


@pytest.fixture(scope="module")
def served(standard):
    """Dagster's webserver and the reports of the refreshed home, on loopback."""
    import threading

    port, reports_port = free_port(), int(standard.settings.reports_url.rsplit(":", 1)[1])
    pages = reports_server(standard.settings, reports_port)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    log = standard.settings.root / "webserver.log"
    with log.open("wb") as output:
        webserver = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dagster_webserver",
                "-m",
                "aclf_pipeline.definitions",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
            ],
            env=environment(standard.settings, reports_port),
            cwd=Path(__file__).parent.parent.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/server_info", webserver, log)
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{reports_port}"
    finally:
        webserver.send_signal(signal.SIGINT)
        webserver.wait(timeout=60)
        pages.shutdown()
        pages.server_close()


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} did not answer within two minutes: {log.read_text('utf-8', 'replace')[-3000:]}")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page that notes every address outside loopback it is asked to load."""
    opened = browser.new_page(viewport={"width": 1500, "height": 1100})
    outside: list[str] = []
    ours = ("http://127.0.0.1", "data:", "blob:")
    opened.on("request", lambda request: None if request.url.startswith(ours) else outside.append(request.url))
    yield opened
    opened.close()
    assert outside == []


def shoot(page, name: str) -> None:
    """Keep a picture where a person asked for pictures."""
    if folder := os.environ.get("ACLF_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def failed_check(standard) -> tuple[str, str]:
    """A check of the gate that found rows: its asset and name."""
    from aclf_pipeline.warehouse.connection import Warehouse

    with Warehouse.open(standard.settings.warehouse) as wh:
        ((kind, rule),) = wh.rows(
            "select table_name, rule_id from quality.checks"
            " where not passed and failing_rows > 0 and action in ('flag', 'quarantine')"
            " order by failing_rows desc limit 1"
        )
    return f"core/{kind}", rule


def test_the_lineage_shows_every_layer(served, page):
    dagster, _ = served
    page.goto(f"{dagster}/asset-groups", wait_until="networkidle")
    page.wait_for_selector("text=staging", timeout=60_000)
    shoot(page, "lineage")
    text = page.inner_text("body")
    assert all(group in text for group in ("raw", "staging", "core", "marts", "analysis"))


@pytest.fixture
def rule_page(standard, served, page):
    """The page of a failed rule, reached from its check in Dagster by one click; and the rule."""
    dagster, reports = served
    asset, rule = failed_check(standard)
    page.goto(f"{dagster}/assets/{asset}?view=checks&checkDetail={rule}", wait_until="networkidle")
    for shown in ("text=4_sample", "text=/rows fail/", "text=/[.](csv|xlsx)/"):
        page.wait_for_selector(shown, timeout=60_000)
    shoot(page, "failed_check")
    with page.expect_popup() as opened:
        page.click(f"a[href*='rules/{rule}.html']")
    report = opened.value
    report.wait_for_load_state()
    assert report.url == f"{reports}/rules/{rule}.html"
    yield report, rule
    report.close()


def downloaded(page, link, folder: Path) -> Path:
    """Click a link and keep what it downloads, under the name the browser gives it."""
    with page.expect_download() as started:
        link.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def lines(standard, rule: str) -> list[tuple[str, int, str]]:
    """File, line and what was seen of every row that breaks a rule, as the ledger has them."""
    from aclf_pipeline.warehouse.connection import Warehouse

    with Warehouse.open(standard.settings.warehouse) as wh:
        return wh.rows(
            "select distinct f.path, row_line(v._row_id), v.observed from quality.violations as v"
            " inner join quality.files as f on f.file_id = row_file(v._row_id) where v.rule_id = ? order by all",
            [rule],
        )


def test_a_failed_check_leads_in_two_clicks_to_the_rows_files_and_lines(standard, rule_page):
    report, rule = rule_page
    shoot(report, "rule_page")
    seen = report.inner_text("#content")
    known = lines(standard, rule)
    assert all(f"{path}" in seen and str(line) in seen for path, line, _ in known[:5])
    path = known[0][0]
    report.get_by_role("table", name="Files with failing rows").get_by_role("link", name=path).click()
    report.wait_for_load_state()
    shoot(report, "file_page")
    in_file = [line for at, line, _ in known if at == path]
    shown = report.locator(f"#rule-{rule}").inner_text()
    assert f"{len(in_file):,}" in shown
    assert all(str(line) in shown for line in in_file[:5])


def test_the_rows_to_correct_are_downloaded_and_are_those_of_the_ledger(standard, rule_page, tmp_path):
    report, rule = rule_page
    known = lines(standard, rule)
    path = downloaded(report, report.get_by_role("link", name="All rows to correct (CSV)"), tmp_path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted((row["file"], int(row["line"])) for row in rows) == [(at, line) for at, line, _ in known]
    assert {row["rule"] for row in rows} == {rule}
    assert all(row["what is wrong"] and row["what to do"] for row in rows)


def test_the_workbook_to_send_back_is_downloaded_from_the_page_of_its_file(standard, rule_page, tmp_path):
    report, rule = rule_page
    known = lines(standard, rule)
    report.get_by_role("table", name="Files with failing rows").get_by_role("link", name=known[0][0]).click()
    report.wait_for_load_state()
    path = downloaded(report, report.get_by_role("link", name="rows_to_correct.xlsx"), tmp_path)
    head, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    cells = [dict(zip(head, row, strict=True)) for row in rows]
    found = sorted(row["line"] for row in cells if row["rule"] == rule)
    assert found == [line for at, line, _ in known if at == known[0][0]]
    assert {row["file"] for row in cells} == {known[0][0]}
    assert not re.search(r"\b[A-Z][0-9a-f]{16}\b", str(cells))


def test_the_overview_leads_to_every_part_of_the_site(served, page):
    _, reports = served
    page.goto(f"{reports}/validation.html", wait_until="load")
    for width in (1280, 600):
        page.set_viewport_size({"width": width, "height": 1100})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("region", name="Checks by table and category").get_by_role("link").first.click()
    page.wait_for_load_state()
    assert "/rules/" in page.url
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Cases").click()
    page.wait_for_load_state()
    shoot(page, "cases")
    assert page.url == f"{reports}/cases.html"
    assert "decision:" in page.inner_text("#content")


def test_the_reports_are_marked_synthetic_and_load_nothing_from_outside(served, page):
    _, reports = served
    for name in ("validation", "cases", "dictionary", "study"):
        page.goto(f"{reports}/{name}.html", wait_until="load")
        shoot(page, name)
        assert "SYNTHETIC DATA" in page.inner_text("body")
