"""What people look at, in a real browser: Dagster's lineage and a failed check, and from there the rule's page."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

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
            " where not passed and failing_rows > 0 order by failing_rows desc limit 1"
        )
    return f"core/{kind}", rule


def test_the_lineage_shows_every_layer(served, page):
    dagster, _ = served
    page.goto(f"{dagster}/asset-groups", wait_until="networkidle")
    page.wait_for_selector("text=staging", timeout=60_000)
    shoot(page, "lineage")
    text = page.inner_text("body")
    assert all(group in text for group in ("raw", "staging", "core", "marts", "analysis"))


def test_a_failed_check_leads_in_two_clicks_to_the_rows_files_and_lines(standard, served, page):
    dagster, reports = served
    asset, rule = failed_check(standard)
    page.goto(f"{dagster}/assets/{asset}?view=checks&checkDetail={rule}", wait_until="networkidle")
    page.wait_for_selector("text=4_sample", timeout=60_000)
    shoot(page, "failed_check")
    text = page.inner_text("body")
    assert "rows fail" in text
    assert ".csv" in text
    with page.expect_popup() as opened:
        page.click(f"a[href*='validation.html#rule-{rule}']")
    report = opened.value
    report.wait_for_load_state()
    shoot(report, "rule_page")
    assert report.url == f"{reports}/validation.html#rule-{rule}"
    section = report.locator(f"#rule-{rule}")
    assert ".csv" in section.inner_text()


def test_the_reports_are_marked_synthetic_and_load_nothing_from_outside(served, page):
    _, reports = served
    for name in ("validation", "dictionary", "study"):
        page.goto(f"{reports}/{name}.html", wait_until="load")
        shoot(page, name)
        assert "SYNTHETIC DATA" in page.inner_text("body")
