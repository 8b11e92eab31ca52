"""Cases: what the data cannot settle and a person must; one question about one patient, with its evidence.

A rule with action `adjudicate` is an audit that returns the rows which raise its question. The rows of all rules of a
question make one case per patient. A signed decision on exactly that evidence settles it; until then, and when the
evidence has changed since, the question's default is in force.

What does not belong here: what follows from a choice (rules' `quarantine_when`, sql/intermediate) and showing a case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import polars as pl

from aclf_pipeline.protocol.models import Adjudication, Question, Rule
from aclf_pipeline.protocol.reader import Protocol
from aclf_pipeline.quality.executor import FAILURE_SCHEMA
from aclf_pipeline.quality.verdicts import Places

State = Literal["open", "decided", "stale"]
MOST_LINES = 100
"""Lines of evidence that a case tells; the rest are counted. Every one of them is a violation."""
_MOST_NOTES = 25


@dataclass(frozen=True)
class Case:
    """One question about one patient. `in_force` is the decision of a decided case, else the question's default."""

    case_id: str
    question: str
    patient_id: str
    rule_ids: list[str]
    evidence_digest: str
    evidence: list[str]
    default_choice: str
    decision: str | None
    in_force: str
    state: State
    decided_by: str | None
    decided_on: date | None
    reason: str | None


CASES = pl.Schema(
    dict.fromkeys(Case.__dataclass_fields__, pl.String)
    | {"rule_ids": pl.List(pl.String), "evidence": pl.List(pl.String), "decided_on": pl.Date}
)


@dataclass(frozen=True)
class Met:
    """What a rule that adjudicates returned: `failing` has _row_id, patient_id and observed; `rows` were looked at."""

    rule: Rule
    failing: pl.DataFrame
    rows: int = 0
    seconds: float = 0.0


def case_id(question: str, patient: str) -> str:
    """The name of a case, the same in every refresh."""
    return "C" + hashlib.sha256(json.dumps([question, patient]).encode()).hexdigest()[:10]


def evidence_digest(seen: Iterable[tuple[str, str | None]]) -> str:
    """Eight characters for (table, observed) texts, whatever their order and number; row ids do not count."""
    texts = sorted({(table, observed or "") for table, observed in seen})
    return hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode()).hexdigest()[:8]


def gather(protocol: Protocol, met: Sequence[Met], places: Places) -> list[Case]:
    """The cases that rows raise, by question and patient. A row without a patient raises none."""
    found = []
    for question in dict.fromkeys(m.rule.question for m in met if m.rule.question is not None):
        of_question = [m for m in met if m.rule.question == question]
        rows = pl.concat(
            [FAILURE_SCHEMA.to_frame().with_columns(rule=pl.lit(""), table=pl.lit(""))]
            + [m.failing.with_columns(rule=pl.lit(m.rule.id), table=pl.lit(m.rule.table)) for m in of_question]
        ).filter(pl.col("patient_id").is_not_null())
        for (patient,), evidence in sorted(rows.group_by("patient_id"), key=lambda group: str(group[0])):
            found.append(_case(protocol.questions[question], str(patient), evidence, protocol.adjudications, places))
    return found


def _case(
    question: Question, patient: str, rows: pl.DataFrame, decisions: Sequence[Adjudication], places: Places
) -> Case:
    digest = evidence_digest(rows.select("table", "observed").iter_rows())
    about = [decision for decision in decisions if decision.case == (question.id, patient)]
    valid = next((decision for decision in about if decision.evidence == digest), None)
    last = valid or max(about, key=lambda decision: decision.on, default=None)
    return Case(
        case_id=case_id(question.id, patient),
        question=question.id,
        patient_id=patient,
        rule_ids=sorted(set(rows.get_column("rule"))),
        evidence_digest=digest,
        evidence=_lines(rows, places),
        default_choice=question.default,
        decision=last.decision if last else None,
        in_force=valid.decision if valid else question.default,
        state="decided" if valid else "stale" if last else "open",
        decided_by=last.by if last else None,
        decided_on=last.on if last else None,
        reason=last.reason if last else None,
    )


def _lines(rows: pl.DataFrame, places: Places) -> list[str]:
    """Evidence in words: table, file, line and what was seen there; a row that several rules return stands once."""
    told = rows.select("table", "_row_id", "observed").unique().sort("table", "_row_id", "observed")
    lines = [f"{table}, {places.words(row_id)}: {observed or ''}" for table, row_id, observed in told.iter_rows()]
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"… and {more} more rows"]


def frame(cases: Sequence[Case]) -> pl.DataFrame:
    """Cases as rows of `quality.cases`, without the refresh."""
    return pl.DataFrame([vars(case) for case in cases], schema=CASES)


def of_rule(cases: Iterable[Case], rule: Rule) -> list[Case]:
    """The cases a rule brought evidence for."""
    return [case for case in cases if rule.id in case.rule_ids]


def settled(met: Met, cases: Iterable[Case]) -> frozenset[int]:
    """The rows of a rule that belong to a decided case."""
    decided = [case.patient_id for case in of_rule(cases, met.rule) if case.state == "decided"]
    return frozenset(met.failing.filter(pl.col("patient_id").is_in(decided)).get_column("_row_id"))


def set_aside(protocol: Protocol, met: Met, cases: Iterable[Case]) -> pl.DataFrame:
    """The rows of a rule (_row_id) that the choice in force sets aside; without a patient, the default's."""
    when = met.rule.quarantine_when
    patients = [case.patient_id for case in of_rule(cases, met.rule) if case.in_force in when]
    of_case = pl.col("patient_id").is_in(patients)
    default = protocol.questions[str(met.rule.question)].default
    nobody = pl.col("patient_id").is_null() if default in when else pl.lit(value=False)
    return met.failing.filter(of_case | nobody).select("_row_id").unique()


def counted(met: Met, cases: Sequence[Case]) -> dict[str, int]:
    """Cases of a rule by state."""
    return {state: sum(case.state == state for case in of_rule(cases, met.rule)) for state in get_args(State)}


def notes(protocol: Protocol, met: Met, cases: Sequence[Case], *, is_first: bool) -> list[str]:
    """Sentences on the cases of a rule; the first rule of a question also tells of decisions about no case."""
    told = [_note(case) for case in of_rule(cases, met.rule) if case.state != "decided"]
    if more := len(told) - _MOST_NOTES:
        told = [*told[:_MOST_NOTES], *([f"… and {more} more cases; `aclf cases` lists all"] if more > 0 else [])]
    if without := met.failing.filter(pl.col("patient_id").is_null()).get_column("_row_id").n_unique():
        told.append(f"{without} rows name no patient and make no case; the default is applied to them")
    if is_first:
        known = {(case.question, case.patient_id) for case in cases}
        told += [
            f"adjudications.yaml decides '{d.question}' of patient '{d.patient}', and there is no such case: the"
            " pseudonym is misspelt, or the export has been corrected"
            for d in protocol.adjudications
            if d.question == met.rule.question and d.case not in known
        ]
    return told


def _note(case: Case) -> str:
    about = f"Case {case.case_id}, {case.question} of patient {case.patient_id}"
    if case.state == "stale":
        return (
            f"{about}: the evidence has changed since it was decided on {case.decided_on} ('{case.decision}');"
            f" the default '{case.in_force}' holds until it is decided anew"
        )
    return f"{about}: open, the default '{case.in_force}' holds"
