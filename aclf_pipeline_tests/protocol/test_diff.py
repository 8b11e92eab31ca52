"""Two versions of the protocol compared: every change is told once, with what it does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from aclf_pipeline.protocol import ProtocolError, load_protocol
from aclf_pipeline.protocol.change import Change
from aclf_pipeline.protocol.diff import Snapshot, compare, snapshot_of_folder, snapshot_of_text, worst
from aclf_pipeline.protocol.reader import Protocol
from aclf_pipeline_tests.protocol.conftest import PAGES, STUDY

Changer = Callable[[str, str, str], Path]

RULE = """
- id: stays_days_few
  table: stays
  says: A stay has few days
  holds: days_stated <= 100
  category: plausibility/atemporal
  action: quarantine
  tolerate: 0.1
  because: a test
  fix: the export
"""
STUDY_PAGE = f"studies/{STUDY}/study.yaml"


@pytest.fixture(scope="module")
def now() -> Snapshot:
    return snapshot_of_folder(PAGES, STUDY)


def with_rule(pages: Path, text: str = RULE) -> Snapshot:
    """The pages with one more rule."""
    page = pages / "rules.yaml"
    original = (PAGES / "rules.yaml").read_text("utf-8")
    page.write_text(original + text, "utf-8")
    return snapshot_of_folder(pages, STUDY)


def told(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.name, change.what, change.effect) for change in changes]


def test_equal_pages_have_no_change(now: Snapshot, pages: Path) -> None:
    assert compare(now, snapshot_of_folder(pages, STUDY)) == []
    assert worst([]) is None


def test_a_comment_is_no_change(now: Snapshot, change: Changer) -> None:
    assert compare(now, snapshot_of_folder(change("rules.yaml", "# ---", "# other words\n# ---"), STUDY)) == []


def test_the_digest_of_a_version_is_that_of_its_text(protocol: Protocol) -> None:
    assert hashlib.sha256(protocol.canonical.encode()).hexdigest() == protocol.digest
    assert snapshot_of_text("kept", protocol.canonical).digest == protocol.digest


@pytest.mark.parametrize(
    ("old", "new", "what", "effect"),
    [
        ("<= 100", "<= 90", "rule tightened", "breaking"),
        ("<= 100", "<= 110", "rule loosened", "results"),
        ("days_stated <= 100", "days_stated >= 0", "rule changed", "breaking"),
        ("days_stated <= 100", "100 >= days_stated", "rule reworded", "harmless"),
        ("tolerate: 0.1", "tolerate: 0.01", "rule tightened", "breaking"),
        ("tolerate: 0.1", "tolerate: 0.2", "rule loosened", "harmless"),
        ("action: quarantine", "action: block", "rule tightened", "breaking"),
        ("action: quarantine", "action: flag", "rule loosened", "results"),
        ("tolerate: 0.1", "tolerate: 0.1\n  backwards: block", "rule tightened", "breaking"),
        ("tolerate: 0.1", "tolerate: 0.1\n  backwards: ignore", "backwards changed", "harmless"),
        ("tolerate: 0.1", "tolerate: 0.1\n  sources: [his]", "rule loosened", "results"),
        ("because: a test", "because: another", "because reworded", "harmless"),
    ],
)
def test_a_change_of_a_rule(pages: Path, old: str, new: str, what: str, effect: str) -> None:
    before = with_rule(pages)
    assert told(compare(before, with_rule(pages, RULE.replace(old, new)))) == [("stays_days_few", what, effect)]


def test_a_flag_that_asks_more_breaks_nothing(pages: Path) -> None:
    flag = RULE.replace("quarantine", "flag")
    before = with_rule(pages, flag)
    after = with_rule(pages, flag.replace("100", "90"))
    assert told(compare(before, after)) == [("stays_days_few", "rule tightened", "harmless")]


@pytest.mark.parametrize(
    ("action", "added", "removed"),
    [("quarantine", "breaking", "results"), ("block", "breaking", "results"), ("flag", "harmless", "harmless")],
)
def test_a_rule_added_or_removed(now: Snapshot, pages: Path, action: str, added: str, removed: str) -> None:
    with_it = with_rule(pages, RULE.replace("quarantine", action))
    assert told(compare(now, with_it)) == [("stays_days_few", "rule added", added)]
    assert told(compare(with_it, now)) == [("stays_days_few", "rule removed", removed)]


FIGURES = {
    "limits: [1.7, 1500]": ("limits: [2, 1500]", "limits changed", "breaking"),
    "limits: [1.7, 1500] ": ("limits: [1.7, 2000] ", "limits widened", "results"),
    "accepts: {mg/dL: 17.1}": ("accepts: {}", "unit no longer accepted", "breaking"),
    "mg/dL: 17.1": ("mg/dL: 17.104", "factor changed", "results"),
    "loinc: [14631-6, 1975-2]": ("loinc: [14631-6]", "code removed", "breaking"),
    "aliases: [总胆红素, ": ("aliases: [", "aliases reworded", "harmless"),
}
"""A word of the first analyte of the page, what becomes of it, and what is told."""


@pytest.mark.parametrize("old", FIGURES)
def test_a_change_of_an_analyte(now: Snapshot, change: Changer, old: str) -> None:
    new, what, effect = FIGURES[old]
    found = compare(now, snapshot_of_folder(change("analytes.yaml", old.strip(), new.strip()), STUDY))
    assert told(found) == [("bilirubin_total", what, effect)]
    assert found[0].page == "analytes.yaml"


@pytest.mark.parametrize(
    ("page", "old", "new", "expected"),
    [
        ("definitions.yaml", "cossh_inr: 1.5", "cossh_inr: 1.6", ("aclf", "cut-off changed", "results")),
        (STUDY_PAGE, "at_index >= 18", "at_index >= 20", ("age_under_18", "criterion changed", "results")),
        (STUDY_PAGE, "  min_infusions:\n    value: 2", "  min_infusions:\n    value: 3",
         ("min_infusions", "parameter changed", "results")),
        (STUDY_PAGE, "as_of: 2019-10-31", "as_of: 2019-12-31", ("as_of", "as_of changed", "results")),
        (STUDY_PAGE, "title: Prognostic", "title: The prognostic", ("title", "title reworded", "harmless")),
    ],
)  # fmt: skip
def test_a_change_of_a_figure(
    now: Snapshot, change: Changer, page: str, old: str, new: str, expected: tuple[str, str, str]
) -> None:
    found = compare(now, snapshot_of_folder(change(page, old, new), STUDY))
    assert told(found) == [expected]
    assert found[0].page == page


def test_a_unit_changed_is_breaking() -> None:
    before = _analyte({"unit": "umol/L", "says": "x"})
    assert told(compare(before, _analyte({"unit": "mg/dL", "says": "x"}))) == [("a", "unit changed", "breaking")]


def _analyte(stanza: dict[str, object]) -> Snapshot:
    return Snapshot("", "", {"analytes.yaml": {"a": stanza}, STUDY_PAGE: {"id": STUDY}}, {})


def test_a_code_that_left_a_list_changes_results(now: Snapshot, pages: Path) -> None:
    page = pages / "codelists" / "cirrhosis.csv"
    lines = page.read_text("utf-8").splitlines()
    page.write_text("\n".join([lines[0], *lines[2:]]) + "\n", "utf-8")
    (found,) = compare(now, snapshot_of_folder(pages, STUDY))
    assert (found.page, found.what, found.effect) == ("codelists/cirrhosis.csv", "code removed", "results")


def test_the_order_of_criteria_is_told(now: Snapshot) -> None:
    pages = dict(now.pages)
    study = dict(pages[STUDY_PAGE])
    study["eligibility"] = [study["eligibility"][1], study["eligibility"][0], *study["eligibility"][2:]]
    found = compare(now, Snapshot("", "", {**pages, STUDY_PAGE: study}, now.codelists))
    assert told(found) == [("eligibility", "order changed", "results")]


COLUMN = {"type": "varchar", "required": False, "unique": False, "key": False, "within": ["a", "b"]}


@pytest.mark.parametrize(
    ("new", "what", "effect"),
    [
        ({"type": "double"}, "type changed", "breaking"),
        ({"required": True}, "nullability tightened", "breaking"),
        ({"within": ["a"]}, "vocabulary narrowed", "breaking"),
        ({"within": ["a", "b", "c"]}, "vocabulary widened", "results"),
        ({"within": None}, "vocabulary widened", "results"),
        ({"unique": True}, "unique changed", "breaking"),
        ({"key": True}, "key changed", "breaking"),
    ],
)
def test_a_change_of_a_promised_column(new: dict[str, object], what: str, effect: str) -> None:
    before, after = ({"core.labs": {"unit": column}} for column in (COLUMN, COLUMN | new))
    assert told(compare(_tables(before), _tables(after))) == [("core.labs.unit", what, effect)]
    undone = {"nullability tightened": "results", "vocabulary narrowed": "results", "unique changed": "results"}
    assert worst(compare(_tables(after), _tables(before))) == undone.get(what, "breaking")


def test_a_column_or_table_that_goes_is_breaking_and_one_that_comes_is_harmless() -> None:
    small, large = {"core.labs": {"unit": COLUMN}}, {"core.labs": {"unit": COLUMN, "flag": COLUMN}, "core.new": {}}
    assert told(compare(_tables(large), _tables(small))) == [
        ("core.labs.flag", "column removed", "breaking"),
        ("core.new", "table removed", "breaking"),
    ]
    assert {change.effect for change in compare(_tables(small), _tables(large))} == {"harmless"}


def _tables(tables: dict[str, dict[str, dict[str, object]]]) -> Snapshot:
    return Snapshot("", "", {STUDY_PAGE: {"id": STUDY}}, {}, tables)


def test_a_rule_whose_query_changed_is_told_though_its_page_says_the_same() -> None:
    pages = {STUDY_PAGE: {"id": STUDY}}
    found = compare(
        Snapshot("", "", pages, {}, None, {"r": "1", "s": "1"}), Snapshot("", "", pages, {}, None, {"r": "2", "s": "1"})
    )
    assert told(found) == [("r", "query changed", "results")]


def test_the_gravest_comes_first(now: Snapshot, change: Changer) -> None:
    change(STUDY_PAGE, "title: Prognostic", "title: The prognostic")
    change("definitions.yaml", "cossh_inr: 1.5", "cossh_inr: 1.6")
    pages = change("analytes.yaml", "limits: [1.7, 1500]", "limits: [2, 1500]")
    found = compare(now, snapshot_of_folder(pages, STUDY))
    assert [c.effect for c in found] == ["breaking", "results", "harmless"]
    assert worst(found) == "breaking"


def test_two_studies_are_not_compared(now: Snapshot) -> None:
    with pytest.raises(ProtocolError, match="icu_cirrhosis"):
        compare(now, snapshot_of_text("other", load_protocol(PAGES, "icu_cirrhosis").canonical))
