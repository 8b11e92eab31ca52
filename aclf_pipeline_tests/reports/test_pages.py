"""What holds for every page: one self-contained, valid, accessible document that is the same twice."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from importlib import resources
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.reports import canvas, dictionary, study
from aclf_pipeline.reports.links import CASES, OVERVIEW, file_page, rule_page
from aclf_pipeline.reports.page import Section
from aclf_pipeline.reports.validation_site.site import pages_of
from aclf_pipeline_tests.reports import sample
from aclf_pipeline_tests.reports.reading import read

TABLES = [dictionary.table_info(name, contract) for name, contract in KINDS.items()]


def dictionary_page(*, synthetic: bool = True) -> str:
    return dictionary.page(sample.protocol(), TABLES, source="his", audits=sample.AUDITS, synthetic=synthetic)


def site_page(place: str, **changes: object) -> str:
    return next(html for at, html in pages_of(sample.validation(**changes)) if at == place)


PAGES: dict[str, Callable[..., str]] = {
    "validation": lambda synthetic=True: site_page(OVERVIEW, synthetic=synthetic),
    "rule": lambda synthetic=True: site_page(rule_page("labs_unit_mapped"), synthetic=synthetic),
    "file": lambda synthetic=True: site_page(file_page(1), synthetic=synthetic),
    "cases": lambda synthetic=True: site_page(CASES, synthetic=synthetic),
    "study": lambda synthetic=True: study.page(sample.study_context(synthetic=synthetic)),
    "dictionary": dictionary_page,
}


@pytest.fixture(params=PAGES, scope="module")
def html(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]()


def test_no_outside_address(html: str) -> None:
    without_namespaces = re.sub(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"', "", html)
    assert not re.search(r"https?:|ftp:|@import|url\((?!#)|\bsrc=|[\"'(]//", without_namespaces)
    assert all(re.fullmatch(r"(\.\./)?[\w./-]*(#[\w.:-]+)?", link) for link in read(html).links)
    assert {named["href"] for tag, named in read(html).tags if tag == "link"} == {"data:,"}


def test_ids_are_unique_and_every_link_within_the_page_arrives(html: str) -> None:
    page = read(html)
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)


def test_elements_close_in_order(html: str) -> None:
    page = read(html)
    assert page.crossed == []
    assert page.unclosed == []


def test_a_reader_who_cannot_see_finds_the_way(html: str) -> None:
    page = read(html)
    assert page.tags[0] == ("html", {"lang": "en"})
    assert page.count("h1") == page.count("main") == 1
    assert page.count("caption") == page.count("table") > 0
    assert all(named.get("scope") for tag, named in page.tags if tag == "th")
    assert all(named.get("role") == "img" for tag, named in page.tags if tag == "svg")
    regions = [named for _, named in page.tags if named.get("role") == "region"]
    assert all(named.get("aria-label") and named.get("tabindex") == "0" for named in regions)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", PAGES)
def test_the_same_frames_give_the_same_bytes(name: str) -> None:
    assert PAGES[name]() == PAGES[name]()


@pytest.mark.parametrize("name", PAGES)
def test_invented_persons_are_said_to_be_invented(name: str) -> None:
    marked, plain = PAGES[name](synthetic=True), PAGES[name](synthetic=False)
    assert marked.count(canvas.SYNTHETIC) >= 4  # title, banner, watermark of every sheet, foot
    assert f'@page {{ @top-center {{ content: "{canvas.SYNTHETIC}"' in marked
    assert "SYNTHETIC" not in plain


def test_text_is_dark_enough() -> None:
    css = resources.files("aclf_pipeline.reports").joinpath("templates/style.css").read_text()
    named = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", css))
    pairs = [(text, "#ffffff") for text in ("ink", "soft", "link", "good", "bad", "note")]
    pairs += [("good", named["good-shade"]), ("bad", named["bad-shade"]), ("note", named["note-shade"])]
    for text, ground in pairs:
        assert contrast(named[text], ground) >= 4.5, text


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_further_section_is_a_section_more() -> None:
    frame = pl.DataFrame({"rule": ["labs_unit_mapped"], "patients": [6]})
    section = Section("impact", "What the rules change", "Patients a rule keeps out of the cohort.", frame)
    for html in (
        site_page(OVERVIEW, sections=(section,)),
        study.page(sample.study_context(sections=(section,))),
    ):
        page = read(html)
        assert "impact" in page.ids
        assert "#impact" in page.links
        assert "labs_unit_mapped" in page.text


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 600, 400])
def test_no_page_is_wider_than_its_window(tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        sheet = window.new_page(viewport={"width": width, "height": 900})
        for name, make in PAGES.items():
            path = tmp_path / f"{name}.html"
            path.write_text(make(), encoding="utf-8")
            asked: list[str] = []
            sheet.on("request", lambda request, asked=asked: asked.append(request.url))
            sheet.goto(path.as_uri())
            assert sheet.evaluate("document.documentElement.scrollWidth") <= width, name
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        sheet.goto((tmp_path / "dictionary.html").as_uri())
        assert sheet.locator("#find").is_visible()
        sheet.fill("#find", "age_years_stated")
        assert 0 < sheet.locator("tbody tr:visible").count() < 10
        window.close()
