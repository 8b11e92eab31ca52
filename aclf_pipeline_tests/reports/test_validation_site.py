"""The validation site: every rule has its page, every number comes from a frame, no identifier comes through."""

from __future__ import annotations

import posixpath
import re
from functools import cache

import polars as pl
import pytest

from aclf_pipeline.reports.links import CASES, OVERVIEW, file_page, rule_page
from aclf_pipeline.reports.page import anchor
from aclf_pipeline.reports.validation_site.context import NEEDED, SAMPLE, ValidationContext
from aclf_pipeline.reports.validation_site.site import pages_of
from aclf_pipeline_tests.reports import sample
from aclf_pipeline_tests.reports.reading import read

EMPTY = {name: pl.DataFrame() for name in (*NEEDED, "superseded", "receipts", "quarantine")}
PSEUDONYM = r"[A-Z][0-9a-f]{16}"


def site(context: ValidationContext) -> dict[str, str]:
    return dict(pages_of(context))


@cache
def whole() -> dict[str, str]:
    return site(sample.validation())


def text_of(html: str) -> str:
    return " ".join(read(html).text.split())


def rule_text(rule_id: str, **changes: object) -> str:
    return text_of(site(sample.validation(**changes))[rule_page(rule_id)] if changes else whole()[rule_page(rule_id)])


def part(html: str, heading: str) -> str:
    """The text of one section of a page, from its heading to the next."""
    return text_of(html.split(f'<h2 id="{heading}">', 1)[1].split("<h2", 1)[0])


def test_every_rule_has_a_page_with_all_it_says() -> None:
    for rule in sample.rules():
        text = rule_text(rule.id)
        for said in (rule.says, rule.because, rule.fix, rule.category, rule.action, "For the analyst"):
            assert said in text
        assert " ".join((rule.holds or sample.AUDITS[rule.id]).split()) in text


def test_a_rule_shows_its_counts_share_tolerance_and_patients() -> None:
    text = rule_text("labs_unit_mapped")
    assert "! above tolerance · 1,204 of 51,433 rows, 2.34 %; tolerated 1 % · 391 patients" in text
    assert "bar: share that counts; line: tolerated" in text
    assert "单位, 结果" in text


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
    assert says in rule_text(rule_id)


OTHER_STATES = """
passed  action      failing  share  says
no      adjudicate  3        0.01   ? to be decided
no      flag        0        0      ✕ could not be judged
no      flag        3        0.001  ✕ went backwards
no      repair      3        0.2    ! above tolerance
"""


@pytest.mark.parametrize("line", OTHER_STATES.strip().splitlines()[1:])
def test_a_check_can_fail_without_being_above_tolerance(line: str) -> None:
    _, action, failing, share, says = line.split(maxsplit=4)
    changed = sample.checks().with_columns(
        action=pl.lit(action), failing_rows=pl.lit(int(failing)), share=pl.lit(float(share)), passed=False,
        blocking=False,
    )  # fmt: skip
    assert says in rule_text("labs_unit_mapped", checks=changed)


def test_failed_checks_come_first_and_the_gravest_before_all() -> None:
    failed = whole()[OVERVIEW].split('id="failed"')[1].split("</table>")[0]
    wanted = ["infusions_dated", "infusions_dose_possible", "stays_end_after_start", "labs_unit_mapped"]
    assert read(failed).links == [rule_page(rule_id) for rule_id in wanted]


def test_the_headline_says_why_nothing_was_published() -> None:
    text = text_of(whole()[OVERVIEW])
    assert "Not published These keep the refresh from being published" in text
    assert "Every infusion has a day: 3 rows" in text


def test_contracts_and_blocking_expectations_are_reasons_too() -> None:
    expectations = sample.validation().expectations.with_columns(passed=False)
    contracts = pl.DataFrame({"table": ["marts.cohort"], "problem": ["column 'inr' is text"]})
    html = site(sample.validation(expectations=expectations, contracts=contracts))[OVERVIEW]
    headline = html.split('class="headline', 1)[1].split("</ul>", 1)[0]
    assert "The cohort has between 100 and 2000 patients" in headline
    assert "marts.cohort: column &#39;inr&#39; is text" in headline
    assert "median age" not in headline


def test_a_published_refresh_says_so() -> None:
    failing = {rule: (total, 0) for rule, (total, _) in sample.FAILING.items()}
    made = site(sample.validation(published=True, checks=sample.checks(failing), release="2019-10-31-77e0b1"))
    text = text_of(made[OVERVIEW])
    assert "✓ Published Every check that blocks has passed." in text
    assert "No check failed." in text
    assert "2019-10-31-77e0b1" in text


def test_the_overview_counts_checks_and_rows_by_category_and_table() -> None:
    overview = whole()[OVERVIEW].split('id="overview"')[1].split("</table>")[0]
    row = re.search(r"<th scope=\"row\">labs</th>(.*?)</tr>", overview, re.DOTALL)
    assert row is not None
    cells = [text_of(cell) for cell in re.findall(r"<td.*?</td>", row.group(1), re.DOTALL)]
    assert cells == ["! 1 of 2 1,204 rows", "0 of 1 96 rows", "·", "0 of 1 12 rows"]


CHANGES = [
    ("checks", {"failing_rows": 7_771}, "7,771"),
    ("files", {"rows": 5_432_101}, "5,432,101"),
    ("by_file", {"lines": 6_543}, "6,543"),
    ("file_problems", {"line": 4_321}, "4321"),
    ("batches", {"problems": 3_217}, "3,217"),
    ("superseded", {"rows": 2_109}, "2,109"),
    ("receipts", {"rows": 8_642}, "8,642"),
    ("quarantine", {"rows": 9_753}, "9,753"),
    ("history", {"failing_rows": 1_357}, "1,357"),
    ("findings", {"rows": 5_791}, "5,791"),
    ("releases", {"rows": 4_242}, "4,242"),
    ("repairs", {"rows": 6_161}, "6,161"),
    ("waivers", {"at_most": 7_007}, "7,007"),
    ("missing", {"without": 0}, "0 %"),
    ("unmapped", {"rows": 3_141}, "3,141"),
    ("expectations", {"observed": 246.8}, "247"),
]


@pytest.mark.parametrize(("frame", "change", "shown"), CHANGES)
def test_every_number_of_the_overview_comes_from_its_frame(frame: str, change: dict[str, float], shown: str) -> None:
    changed = getattr(sample.validation(), frame).with_columns(**{name: pl.lit(v) for name, v in change.items()})
    seen = [text_of(made[OVERVIEW]) for made in (whole(), site(sample.validation(**{frame: changed})))]
    count = [len(re.findall(rf"(?<![\d,]){re.escape(shown)}(?!\d)", text)) for text in seen]
    assert count[0] < count[1]


@pytest.mark.parametrize(
    ("frame", "change", "shown"),
    [
        ("violations", {"line": 98_765}, "98765"),
        ("by_file", {"rows": 6_543}, "6,543"),
        ("by_rule", {"patients": 5_005}, "5,005 patients"),
        ("together", {"rows": 7_654}, "7,654"),
        ("history", {"failing_rows": 1_357}, "1,357"),
    ],
)
def test_every_number_of_a_rule_comes_from_its_frame(frame: str, change: dict[str, float], shown: str) -> None:
    changed = getattr(sample.validation(), frame).with_columns(**{name: pl.lit(v) for name, v in change.items()})
    assert shown not in rule_text("labs_unit_mapped")
    assert shown in rule_text("labs_unit_mapped", **{frame: changed})


def test_at_most_25_examples_of_a_rule_are_shown() -> None:
    examples = rule_text("labs_unit_mapped", violations=sample.violations(40))
    assert len(re.findall(PSEUDONYM, examples)) == SAMPLE == 25


def test_whoever_is_not_a_pseudonym_is_withheld() -> None:
    named = sample.violations().with_columns(patient=pl.lit("0012345"))
    cases = sample.cases().with_columns(patient_id=pl.lit("0012345"), stanza=pl.lit(None, pl.String))
    made = site(sample.validation(violations=named, cases=cases))
    assert [place for place, html in made.items() if "0012345" in html] == []
    assert "withheld" in text_of(made[rule_page("infusions_dated")])
    assert "withheld" in text_of(made[CASES])


def test_the_rules_that_the_same_rows_break_are_linked() -> None:
    html = whole()[rule_page("labs_unit_mapped")]
    assert "The time of collection is known 17" in part(html, "together")
    assert f"../{rule_page('labs_collected_known')}" in read(html).links


def test_what_became_of_findings_is_told_and_backwards_stands_out() -> None:
    assert "31 new, 1,173 persisting, 58 resolved" in rule_text("labs_unit_mapped")
    assert "2 reopened; 2 went backwards" in rule_text("stays_end_after_start")
    text = text_of(whole()[OVERVIEW])
    assert "31 new, 2 reopened, 1,173 persisting, 58 resolved; 2 went backwards" in text
    assert part(whole()[OVERVIEW], "changes").count("A stay ends after it began") == 1
    assert "corrected by a later delivery 4" in part(whole()[OVERVIEW], "changes")


def test_the_analyst_reads_what_the_action_means_and_what_the_stanza_adds() -> None:
    rules = sample.validation().rules.with_columns(follows=pl.lit("Use the direct bilirubin instead."))
    text = rule_text("infusions_dose_possible", rules=rules)
    assert "Use the direct bilirubin instead. Failing rows are in no core table" in text
    assert "Failing rows stay in core and are used as they are" in rule_text("labs_unit_mapped")
    assert "No row failed, so nothing follows. If one did: failing rows stay" in rule_text("labs_loinc_mapped")


def test_the_query_reads_the_ledger_and_the_staged_rows_of_the_rule() -> None:
    query = part(whole()[rule_page("labs_unit_mapped")], "query")
    for said in ("duckdb -readonly", "from quality.violations as v", "staging.labs as s", "'labs_unit_mapped'"):
        assert said in query


def test_a_file_has_a_page_with_its_lines_by_rule_and_no_pseudonym() -> None:
    html = whole()[file_page(1)]
    text = text_of(html)
    assert "899 lines to correct" in text
    assert "Every unit of a number is mapped to UCUM Lines 893 Read from 单位, 结果" in text
    assert "1536" in text
    assert "Unquoted delimiter Lines 5 What to do Quote fields that hold a delimiter" in text
    assert not re.search(PSEUDONYM, html)
    assert [link for link in read(html).links if "rows_to_correct" in link] == [
        "../files/1/rows_to_correct.xlsx",
        "../files/1/rows_to_correct.csv",
    ]


def test_a_refused_file_has_a_page_and_comes_first() -> None:
    made = whole()
    first = part(made[OVERVIEW], "files")
    assert first.index("20190301_incr/检验结果_增量.csv ✕ refused 1") < first.index(sample.FILES[0])
    page = next(text_of(html) for place, html in made.items() if place.startswith("files/unread-"))
    assert "Refused Nothing of its batch was taken in" in page
    assert "Deliver the batch again" in page


def test_what_concerns_a_whole_batch_is_told_with_its_name() -> None:
    problems = sample.validation().file_problems.with_columns(path=pl.lit(None, pl.String))
    text = part(site(sample.validation(file_problems=problems))[OVERVIEW], "batches")
    assert "20190301_incr – The last line is torn Deliver the batch again" in text


def test_a_list_that_was_cut_says_so() -> None:
    many = sample.validation().by_file.with_columns(lines=pl.lit(250_000), rows=pl.lit(250_000))
    made = site(sample.validation(by_file=many))
    assert "only the first 100,000 of 500,000 lines" in text_of(made[rule_page("labs_unit_mapped")])
    text = text_of(made[file_page(3)])
    assert "rows_to_correct.xlsx 20,000 rows, cut: the file has 250,000" in text
    assert "rows_to_correct.csv 100,000 rows, cut: the file has 250,000" in text


def test_cases_wait_with_evidence_choices_and_the_stanza_to_paste() -> None:
    text = text_of(whole()[CASES])
    assert "1 case waits for a decision ? open 1, ! stale 0, ✓ decided 1" in text
    assert "dead The death counts." in text
    assert "followups, 随访.xlsx, line 54: alive on 2016-03-09" in text
    assert "In force by_sources (the default)" in text
    assert "evidence: 'ae5c4360'" in text
    assert "Decided dead on 2019-11-02 by hepatologist: The ward's record tells of the death" in text
    assert "0badcafe" not in text
    assert "1 case waits for a decision" in text_of(whole()[OVERVIEW])


def test_a_waiver_that_has_expired_is_marked() -> None:
    waivers = part(whole()[OVERVIEW], "waivers")
    assert "Every unit of a number is mapped to UCUM ✓ holds 2020-01-31 1,337 every row" in waivers
    assert "Viable cells lie between 1 and 1000 million ✕ expired 2019-06-30" in waivers


def test_missingness_is_a_share_in_every_cell_and_many_years_become_periods() -> None:
    text = part(whole()[OVERVIEW], "missing")
    assert "2010 2011 2012" in text
    assert text.index("albumin in serum") < text.index("1 other analytes")
    shifted = sample.validation().missing.with_columns(year=2100 + (pl.col("year") - 2010) * 12)
    text = part(site(sample.validation(missing=shifted))[OVERVIEW], "missing")
    assert "2100–2109" in text or "2100 2112" in text


def test_data_docs_are_linked_when_they_are_there() -> None:
    html = site(sample.validation(data_docs="data_docs/index.html"))[OVERVIEW]
    assert "data_docs/index.html" in read(html).links
    assert "Data Docs" not in text_of(whole()[OVERVIEW])


def test_every_link_of_the_site_arrives() -> None:
    made = whole()
    known = {place: set(read(html).ids) for place, html in made.items()}
    downloads = {link for html in made.values() for link in read(html).links if "rows_to_correct" in link}
    lost = []
    for place, html in made.items():
        for link in read(html).links:
            target, _, fragment = link.partition("#")
            where = posixpath.normpath(posixpath.join(posixpath.dirname(place), target)) if target else place
            if link not in downloads and (where not in known or (fragment and fragment not in known[where])):
                lost.append((place, link))
    assert lost == []
    assert len(downloads) == 2 + 2 + 2 + 2 + 2


def test_old_links_to_a_rule_still_arrive_at_its_line() -> None:
    assert {anchor(rule.id) for rule in sample.rules()} <= set(read(whole()[OVERVIEW]).ids)


def test_hostile_values_stay_text() -> None:
    attack = '"><script>alert(1)</script>'
    rules = sample.validation().rules.with_columns(
        says=pl.lit(attack), because=pl.lit(attack), condition=pl.lit(attack), fix=pl.lit(attack)
    )
    bad_name = pl.concat([rules, rules.head(1).with_columns(rule_id=pl.lit(attack))])
    made = site(
        sample.validation(
            rules=bad_name,
            violations=sample.violations().with_columns(observed=pl.lit(attack), file=pl.lit(attack)),
            in_files=sample.validation().in_files.with_columns(observed=pl.lit(attack)),
            cases=sample.cases().with_columns(evidence=pl.lit([attack]), stanza=pl.lit(attack)),
            unmapped=sample.validation().unmapped.with_columns(name=pl.lit(attack)),
            files=pl.DataFrame({"file_id": [1], "path": [attack], "batch": [attack], "rows": [1]}),
            study=attack,
        )
    )
    for place, html in made.items():
        page = read(html)
        assert page.count("script") == 0, place
        assert page.crossed == [], place
    assert "alert(1)" in read(made[OVERVIEW]).text
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", place) for place in made)


def test_an_empty_refresh_is_said_in_sentences() -> None:
    made = site(sample.validation(**EMPTY))
    text = text_of(made[OVERVIEW])
    sentences = (
        "There is no rule.", "No check failed.", "No rule is known and no check ran.", "no batch was delivered.",
        "no file was loaded.", "No delivered file has anything to correct.",
    )  # fmt: skip
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert set(made) == {OVERVIEW}


def test_the_first_refresh_has_no_refresh_to_be_held_against() -> None:
    made = site(sample.validation(refreshes=sample.refreshes().tail(1)))
    assert 'id="changes"' not in made[OVERVIEW]


ABSENT = {
    "findings": "changes", "cases": "cases", "repairs": "repairs", "waivers": "waivers", "missing": "missing",
    "unmapped": "unmapped", "contracts": "contracts",
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_any_one_frame_may_be_empty_and_its_section_is_then_absent(name: str) -> None:
    changes = {name: getattr(sample.validation(), name).clear()}
    changes |= {"receipts": pl.DataFrame()} if name == "repairs" else {}
    made = site(sample.validation(**changes))
    if name in ABSENT:
        assert f'id="{ABSENT[name]}"' not in made[OVERVIEW]
    assert (CASES in made) == (name != "cases")


def test_a_check_without_a_rule_has_a_page_too() -> None:
    contract = sample.checks().head(1).with_columns(rule_id=pl.lit("labs_contract"), category=pl.lit("conformance"))
    made = site(sample.validation(checks=pl.concat([sample.checks(), contract])))
    assert "labs_contract" in text_of(made[rule_page("labs_contract")])


def test_waived_rows_and_notes_are_shown() -> None:
    checks = sample.checks().with_columns(waived_rows=pl.lit(11), notes=pl.lit(["Waiver ends 2020-01-01"]))
    text = rule_text("labs_unit_mapped", checks=checks)
    assert "11 accepted by a waiver" in text
    assert "Waiver ends 2020-01-01" in text


def test_missing_columns_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="frame 'checks' has no column 'tolerate'"):
        sample.validation(checks=sample.checks().drop("tolerate"))
