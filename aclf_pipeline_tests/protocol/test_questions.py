"""Questions, the rules that raise them and the signed decisions: read, frozen, and proof-read against each other."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from aclf_pipeline.protocol import Protocol, ProtocolError, load_protocol, proofread
from aclf_pipeline_tests.protocol.conftest import STUDY, problems_of
from aclf_pipeline_tests.protocol.test_misprints import AUDITS, PROMISED

QUESTIONS = """
- id: which_death_date
  asks: On which day did the patient die?
  choices:
    certificate: The day of the certificate is taken
    ward: The day of the ward is taken
    neither: Neither is taken, the patient is censored
  default: neither
  because: Two documents disagree by more than a week
"""
RULES = """
- id: deaths_two_days
  table: deaths
  says: A patient dies on one day
  category: plausibility/temporal
  action: adjudicate
  question: which_death_date
  quarantine_when: [neither]
  because: A patient dies once
  fix: Compare the two documents
"""
DECISIONS = """
- {question: which_death_date, patient: R1, evidence: '04c10913', decision: ward, reason: r, by: hepatologist,
   on: 2026-12-31}
"""


@pytest.fixture
def asked(pages: Path) -> Path:
    """The pages with a question, a rule that raises it and a decision."""
    for page, stanza in (("questions.yaml", QUESTIONS), ("rules.yaml", RULES)):
        (pages / page).write_text((pages / page).read_text("utf-8") + stanza, "utf-8")
    (pages / "adjudications.yaml").write_text(DECISIONS, "utf-8")
    return pages


def change(pages: Path, page: str, old: str, new: str) -> Path:
    text = (pages / page).read_text("utf-8")
    assert old in text
    (pages / page).write_text(text.replace(old, new), "utf-8")
    return pages


def read(pages: Path) -> Protocol:
    return load_protocol(pages, STUDY)


def test_questions_and_decisions_are_read(asked: Path) -> None:
    loaded = read(asked)
    question, (decision,) = loaded.questions["which_death_date"], loaded.adjudications
    assert list(question.choices) == ["certificate", "ward", "neither"]
    assert (question.default, loaded.rules["deaths_two_days"].quarantine_when) == ("neither", ("neither",))
    assert (decision.case, decision.evidence, decision.on) == (
        ("which_death_date", "R1"), "04c10913", date(2026, 12, 31),
    )  # fmt: skip
    with pytest.raises(TypeError):
        question.choices["later"] = "x"  # type: ignore[index]


def test_yes_and_no_may_be_choices(asked: Path) -> None:
    change(asked, "questions.yaml", "    neither: Neither", "    no: Neither")
    change(asked, "questions.yaml", "default: neither", "default: no")
    change(asked, "rules.yaml", "quarantine_when: [neither]", "quarantine_when: [no]")
    assert read(asked).rules["deaths_two_days"].quarantine_when == ("no",)


MISPRINTS = {
    "question of a rule that is not there": (
        "rules.yaml", "question: which_death_date", "question: which_death_day",
        "rules.yaml: 'deaths_two_days' names question 'which_death_day', which questions.yaml does not have. "
        "Did you mean 'which_death_date'?",
    ),
    "rows set aside under no choice": (
        "rules.yaml", "quarantine_when: [neither]", "quarantine_when: [neithr]",
        "rules.yaml: 'deaths_two_days' sets rows aside when 'neithr', which is none of certificate, ward, neither. "
        "Did you mean 'neither'?",
    ),
    "no question": (
        "rules.yaml", "  question: which_death_date\n", "",
        "rules.yaml: 'deaths_two_days' adjudicates and names no 'question' of questions.yaml",
    ),
    "a question to a rule that only flags": (
        "rules.yaml", "action: adjudicate", "action: flag",
        "rules.yaml: 'deaths_two_days' has 'question' with action flag; only a rule that adjudicates has it",
    ),
    "set aside by a rule that repairs": (
        "rules.yaml", "action: adjudicate\n  question: which_death_date", "action: repair",
        "rules.yaml: 'deaths_two_days' has 'quarantine_when' with action repair; only a rule that adjudicates has it",
    ),
    "a condition that adjudicates": (
        "rules.yaml", "  question: which_death_date", "  question: which_death_date\n  holds: died_at is not null",
        "rules.yaml: 'deaths_two_days' has 'holds' with action adjudicate, which asks for an audit "
        "sql/audits/deaths_two_days.sql",
    ),
    "a default that is no choice": (
        "questions.yaml", "default: neither", "default: neighter",
        "questions.yaml: 'which_death_date' has default 'neighter', which is none of certificate, ward, neither. "
        "Did you mean 'neither'?",
    ),
    "a question without a choice": (
        "questions.yaml",
        "    certificate: The day of the certificate is taken\n    ward: The day of the ward is taken\n", "",
        "questions.yaml: 'which_death_date' leaves no choice; a question has at least two",
    ),
    "a question asked twice": (
        "questions.yaml", QUESTIONS, QUESTIONS + QUESTIONS,
        "questions.yaml: 'which_death_date' stands 2 times; keep one",
    ),
    "a decision of another question": (
        "adjudications.yaml", "which_death_date", "which_death_dates",
        "adjudications.yaml: 'which_death_dates' of patient 'R1' names question 'which_death_dates', which "
        "questions.yaml does not have. Did you mean 'which_death_date'?",
    ),
    "a decision that is no choice": (
        "adjudications.yaml", "decision: ward", "decision: wards",
        "adjudications.yaml: 'which_death_date' of patient 'R1' decides 'wards', which is none of certificate, ward, "
        "neither. Did you mean 'ward'?",
    ),
    "a case decided twice": (
        "adjudications.yaml", DECISIONS, DECISIONS + DECISIONS.replace("ward", "neither"),
        "adjudications.yaml: 'which_death_date' of patient 'R1' is decided 2 times on evidence '04c10913'; keep one",
    ),
    "evidence that YAML takes for a number": (
        "adjudications.yaml", "'04c10913'", "12345678",
        "adjudications.yaml: 'which_death_date' asks evidence for text; '12345678' is not, put it in quotation marks",
    ),
    "evidence that is no digest": (
        "adjudications.yaml", "'04c10913'", "'the certificate'",
        "adjudications.yaml: 'which_death_date' has evidence 'the certificate', which is not written like the digest "
        "of the worklist: eight characters, 0 to 9 and a to f",
    ),
    "a decision nobody signed": (
        "adjudications.yaml", "by: hepatologist,", "", "adjudications.yaml: 'which_death_date' has no 'by'",
    ),
    "a day that is none": (
        "adjudications.yaml", "2026-12-31", "soon",
        "adjudications.yaml: 'which_death_date' has on 'soon', which is not a day written like 2026-12-31",
    ),
}  # fmt: skip


@pytest.mark.parametrize("misprint", MISPRINTS)
def test_a_misprint_is_explained(misprint: str, asked: Path) -> None:
    page, old, new, sentence = MISPRINTS[misprint]
    assert sentence in problems_of(change(asked, page, old, new))


def test_a_case_may_be_decided_anew_on_other_evidence(asked: Path) -> None:
    change(asked, "adjudications.yaml", DECISIONS, DECISIONS + DECISIONS.replace("04c10913", "aaaaaaaa"))
    assert [decision.evidence for decision in read(asked).adjudications] == ["04c10913", "aaaaaaaa"]


def test_a_fault_of_a_question_is_told_once(asked: Path) -> None:
    """What refers to a faulty question is not accused of naming none."""
    told = problems_of(change(asked, "questions.yaml", "  because: Two", "  becuase: Two"))
    assert told == [
        "questions.yaml: 'which_death_date' has no 'because'",
        "questions.yaml: 'which_death_date' uses the word 'becuase', which this page does not know. "
        "Did you mean 'because'?",
    ]


@pytest.mark.parametrize("action", ["adjudicate", "repair"])
def test_a_rule_that_repairs_or_adjudicates_needs_its_file(action: str, asked: Path) -> None:
    if action == "repair":
        lines = "adjudicate\n  question: which_death_date\n  quarantine_when: [neither]\n"
        change(asked, "rules.yaml", f"action: {lines}", "action: repair\n")
    proofread(read(asked), PROMISED, AUDITS | {"deaths_two_days"})
    with pytest.raises(ProtocolError) as caught:
        proofread(read(asked), PROMISED, AUDITS)
    assert caught.value.problems == [
        f"rules.yaml: 'deaths_two_days' has action {action} and no audit sql/audits/deaths_two_days.sql; write it."
    ]
