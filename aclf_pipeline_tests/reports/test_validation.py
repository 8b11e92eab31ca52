"""The validation page: every rule has its place, every number comes from a frame, no identifier comes through."""

from __future__ import annotations

import re

import polars as pl
import pytest

from aclf_pipeline.reports import validation
from aclf_pipeline.reports.page import anchor
from aclf_pipeline_tests.reports import sample
from aclf_pipeline_tests.reports.reading import read

EMPTY = {
    name: pl.DataFrame()
    for name in (
        "checks", "rules", "violations", "by_file", "files", "file_problems", "batches", "superseded", "receipts",
        "quarantine", "history", "expectations", "contracts",
    )
}  # fmt: skip


def section(html: str, rule_id: str) -> str:
    """The text of one rule's section."""
    part = html.split(f'id="{anchor(rule_id)}"', 1)[1].split("</section>", 1)[0]
    return " ".join(read(f"<section {part}</section>").text.split())


def test_every_rule_has_a_section_with_all_it_says() -> None:
    html = validation.page(sample.validation())
    for rule in sample.rules():
        text = section(html, rule.id)
        for said in (rule.says, rule.because, rule.fix, rule.category, rule.action):
            assert said in text
        assert " ".join((rule.holds or sample.AUDITS[rule.id]).split()) in text


def test_a_rule_shows_its_counts_share_and_tolerance() -> None:
    text = section(validation.page(sample.validation()), "labs_unit_mapped")
    assert "! above tolerance · 1,204 of 51,433 rows, 2.34 %; tolerated 1 %" in text
    assert "unit is not null or value is null" in text


STATES = """
rule                            says
infusions_dated                 ✕ blocks
infusions_dose_possible         ✕ failed
labs_unit_mapped                ! above tolerance
labs_reported_after_collected   ✓ within tolerance
labs_loinc_mapped               ✓ passed
patients_sex_agrees             – not run
"""


@pytest.mark.parametrize("line", STATES.strip().splitlines()[1:])
def test_the_outcome_is_said_in_words(line: str) -> None:
    rule_id, says = line.split(maxsplit=1)
    assert says in section(validation.page(sample.validation()), rule_id)


def test_failed_checks_come_first_and_the_gravest_before_all() -> None:
    html = validation.page(sample.validation())
    order = [link.removeprefix("#rule-") for link in read(html.split('id="failed"')[1].split("</table>")[0]).links]
    assert order == ["infusions_dated", "infusions_dose_possible", "stays_end_after_start", "labs_unit_mapped"]


def test_the_headline_says_why_nothing_was_published() -> None:
    text = " ".join(read(validation.page(sample.validation())).text.split())
    assert "Not published These keep the refresh from being published" in text
    assert "Every infusion has a day: 3 rows" in text


def test_contracts_and_blocking_expectations_are_reasons_too() -> None:
    expectations = sample.validation().expectations.with_columns(passed=False)
    contracts = pl.DataFrame({"table": ["marts.cohort"], "problem": ["column 'inr' is text"]})
    html = validation.page(sample.validation(expectations=expectations, contracts=contracts))
    headline = html.split('class="headline', 1)[1].split("</ul>", 1)[0]
    assert "The cohort has between 100 and 2000 patients" in headline
    assert "marts.cohort: column &#39;inr&#39; is text" in headline
    assert "median age" not in headline


def test_a_published_refresh_says_so() -> None:
    failing = {rule: (total, 0) for rule, (total, _) in sample.FAILING.items()}
    html = validation.page(
        sample.validation(published=True, checks=sample.checks(failing), release="2019-10-31-77e0b1")
    )
    text = " ".join(read(html).text.split())
    assert "Published Every check that blocks has passed." in text
    assert "No check failed." in text
    assert "2019-10-31-77e0b1" in text


def test_the_overview_counts_checks_and_rows_by_category_and_table() -> None:
    html = validation.page(sample.validation())
    overview = html.split('id="overview"')[1].split("</table>")[0]
    row = re.search(r"<th scope=\"row\">labs</th>(.*?)</tr>", overview, re.DOTALL)
    assert row is not None
    cells = [" ".join(read(cell).text.split()) for cell in re.findall(r"<td.*?</td>", row.group(1), re.DOTALL)]
    assert cells == ["1 of 2 1,204 rows", "0 of 1 96 rows", "·", "0 of 1 12 rows"]


CHANGES = [
    ("checks", {"failing_rows": 7_771}, "7,771"),
    ("violations", {"line": 98_765}, "98,765"),
    ("by_file", {"rows": 6_543}, "6,543"),
    ("files", {"rows": 5_432_101}, "5,432,101"),
    ("file_problems", {"line": 4_321}, "4,321"),
    ("batches", {"problems": 3_217}, "3,217"),
    ("superseded", {"rows": 2_109}, "2,109"),
    ("receipts", {"rows": 8_642}, "8,642"),
    ("quarantine", {"rows": 9_753}, "9,753"),
    ("history", {"failing_rows": 1_357}, "1,357"),
    ("expectations", {"observed": 246.8}, "247"),
]


@pytest.mark.parametrize(("frame", "change", "shown"), CHANGES)
def test_every_number_comes_from_its_frame(frame: str, change: dict[str, float], shown: str) -> None:
    before = sample.validation()
    changed = getattr(before, frame).with_columns(**{name: pl.lit(value) for name, value in change.items()})
    after = validation.page(sample.validation(**{frame: changed}))
    assert shown not in validation.page(before)
    assert shown in after


def test_at_most_25_examples_of_a_rule_are_shown() -> None:
    html = validation.page(sample.validation(violations=sample.violations(40)))
    examples = section(html, "labs_unit_mapped")
    assert len(re.findall(r"R[0-9a-f]{16}", examples)) == validation.SAMPLE == 25


def test_whoever_is_not_a_pseudonym_is_withheld() -> None:
    named = sample.violations().with_columns(patient=pl.lit("0012345"))
    html = validation.page(sample.validation(violations=named))
    assert "0012345" not in html
    assert "withheld" in section(html, "infusions_dated")


def test_hostile_values_stay_text() -> None:
    attack = '"><script>alert(1)</script>'
    rules = sample.validation().rules.with_columns(
        says=pl.lit(attack), because=pl.lit(attack), condition=pl.lit(attack)
    )
    bad_name = pl.concat([rules, rules.head(1).with_columns(rule_id=pl.lit(attack))])
    html = validation.page(
        sample.validation(
            rules=bad_name,
            violations=sample.violations().with_columns(observed=pl.lit(attack), file=pl.lit(attack)),
            files=pl.DataFrame({attack: [attack]}),
            study=attack,
        )
    )
    page = read(html)
    assert page.count("script") == 0
    assert "alert(1)" in page.text
    assert page.crossed == []
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_an_empty_refresh_is_said_in_sentences() -> None:
    text = " ".join(read(validation.page(sample.validation(**EMPTY))).text.split())
    for sentence in ("There is no rule.", "No check failed.", "No rule is known and no check ran.",
                     "no batch was delivered.", "no file was loaded.", "no row was superseded."):  # fmt: skip
        assert sentence in text


@pytest.mark.parametrize("name", EMPTY)
def test_any_one_frame_may_be_empty(name: str) -> None:
    whole = sample.validation()
    assert validation.page(sample.validation(**{name: getattr(whole, name).clear()}))


def test_a_check_without_a_rule_has_a_section_too() -> None:
    contract = sample.checks().head(1).with_columns(rule_id=pl.lit("contract.labs"), category=pl.lit("conformance"))
    html = validation.page(sample.validation(checks=pl.concat([sample.checks(), contract])))
    assert "contract.labs" in section(html, "contract.labs")


def test_waived_rows_and_notes_are_shown() -> None:
    checks = sample.checks().with_columns(waived_rows=pl.lit(11), notes=pl.lit("Waiver ends 2020-01-01"))
    text = section(validation.page(sample.validation(checks=checks)), "labs_unit_mapped")
    assert "11 accepted by a waiver" in text
    assert "Waiver ends 2020-01-01" in text


def test_missing_columns_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="frame 'checks' has no column 'tolerate'"):
        validation.page(sample.validation(checks=sample.checks().drop("tolerate")))
