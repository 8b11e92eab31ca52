"""Pages of candidates: one each, escaped, marked where synthetic, reached from the study page but not in a release."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.reports import links
from aclf_pipeline.reports.canvas import SYNTHETIC
from aclf_pipeline.reports.stories import Told, groups, story_pages
from aclf_pipeline.reports.study import StudyContext, page, without_stories
from aclf_pipeline.settings import Settings
from aclf_pipeline_tests.reports.reading import read

HEADS = pl.DataFrame(
    {
        "candidate_id": ["a-1", "a-2", "b"], "person_id": ["a", "a", None], "in_cohort": [True, False, False],
        "reason": [None, "hcv", "no_infusion"], "says": ["in the cohort", "not in (hcv)", "not in (no_infusion)"],
        "also": [["a-2"], ["a-1"], None],
    }
)  # fmt: skip
PARTS = [
    Told("stays", "Stays", pl.DataFrame({"candidate_id": ["a-1", "a-1"], "ward": ["<i>6 & 7", None]}), "no stay"),
    Told("zero", "Zero", pl.DataFrame({"candidate_id": ["a-2"], "on": ["2011-06-13"], "to": [None]},
                                      schema_overrides={"to": pl.String}), "none", is_tall=True),
]  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return load_protocol(Settings().protocol, "nct07198854").study


@pytest.fixture(scope="module")
def told(study) -> dict[str, str]:
    return dict(story_pages(HEADS, PARTS, study, as_of=date(2019, 10, 31), synthetic=True))


def test_every_candidate_has_a_page_and_all_share_one_style(told):
    assert sorted(told) == ["stories/a-1.html", "stories/a-2.html", "stories/b.html", "stories/story.css"]
    assert all('href="story.css"' in text for place, text in told.items() if place.endswith(".html"))


def test_a_page_tells_its_own_rows_escaped_and_what_is_not_there(told):
    assert '<th scope="row" class="">&lt;i&gt;6 &amp; 7</th>' in told["stories/a-1.html"]
    assert "&lt;i&gt;" not in told["stories/b.html"]
    assert "no stay." in told["stories/b.html"]
    assert '<th scope="row">On</th><td>2011-06-13</td></tr></tbody>' in told["stories/a-2.html"].replace(">on<", ">On<")
    assert '<a href="a-2.html">a-2</a>' in told["stories/a-1.html"]


def test_a_page_is_whole_and_marked_synthetic(told, study):
    for place, text in told.items():
        if place.endswith(".html"):
            found = read(text)
            assert found.unclosed == found.crossed == []
            assert "\u0002" not in text
            assert SYNTHETIC in text
    real = dict(story_pages(HEADS, PARTS, study, as_of=date(2019, 10, 31), synthetic=False))
    assert SYNTHETIC not in real["stories/b.html"]


def test_groups_are_the_cohort_and_then_the_flow_chart_s_order(study):
    assert [(group.says.split(":")[0], group.candidates) for group in groups(HEADS, study)] == [
        ("In the cohort", ("a-1",)), ("Left, not met", ("b",)), ("Left, not met", ("a-2",)),
    ]  # fmt: skip


def test_the_study_page_leads_to_every_story_and_a_release_does_not(study):
    context = StudyContext(study, "his", date(2019, 10, 31), "p", "d", stories=groups(HEADS, study))
    text = page(context)
    for candidate in HEADS["candidate_id"]:
        assert f'<a href="{links.story_page(candidate)}">{candidate}</a>' in text
    released = without_stories(text)
    assert "stories/" not in released
    assert released == page(StudyContext(study, "his", date(2019, 10, 31), "p", "d"))
