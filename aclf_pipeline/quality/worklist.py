"""The worklist: every case a person must settle, with its evidence and the stanza that decides it.

What does not belong here: making cases (`cases`) and deciding them (protocol/adjudications.yaml).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.models import Question
from aclf_pipeline.protocol.reader import Protocol
from aclf_pipeline.warehouse.connection import Warehouse


@dataclass(frozen=True)
class Item:
    """One case as the worklist shows it: `choices` with what follows, `stanza` as YAML to complete and sign."""

    case: str
    patient: str
    question: str
    asks: str
    state: str
    in_force: str
    told: str
    evidence: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]
    stanza: str


def worklist(wh: Warehouse, protocol: Protocol, question: str | None = None, *, every: bool = False) -> list[Item]:
    """The cases of the last judgement that are to be decided, open ones first; with `every`, decided ones too."""
    found = wh.rows(
        """-- cases: one row per question and patient
        select case_id, question, patient_id, evidence_digest, evidence, state, in_force, decision, decided_by,
            decided_on, reason
        from quality.cases
        where ($question is null or question = $question) and ($every or state <> 'decided')
        order by state = 'decided', state = 'stale', question, patient_id""",
        {"question": question, "every": every},
    )
    return [
        Item(
            case=case, patient=patient, question=asked, asks=about.asks if about else "", state=state,
            in_force=in_force, told=_told(state, in_force, decision, by, on, reason), evidence=tuple(evidence),
            choices=tuple(about.choices.items()) if about else (), stanza=_stanza(asked, patient, digest, about),
        )
        for case, asked, patient, digest, evidence, state, in_force, decision, by, on, reason in found
        for about in [protocol.questions.get(asked)]
    ]  # fmt: skip


def asked(protocol: Protocol, question: str | None) -> str | None:
    """A question of the page, or None for all; an unknown one is not mistaken for one without a case."""
    if question is not None and question not in protocol.questions:
        near = did_you_mean(question, protocol.questions)
        raise UserError(f"cases: questions.yaml has no question '{question}'.{near}")
    return question


def _told(state: str, in_force: str, decision: str | None, by: str | None, on: object, reason: str | None) -> str:
    """What holds, and why."""
    if state == "decided":
        return f"'{in_force}' was decided by {by} on {on}: {reason}"
    if state == "stale":
        return f"'{decision}' was decided by {by} on {on}, on other evidence; the default '{in_force}' holds"
    return f"nobody has decided; the default '{in_force}' holds"


def _stanza(question: str, patient: str, digest: str, about: Question | None) -> str:
    choices = f"  # one of: {', '.join(about.choices)}" if about else ""
    return (
        f"- question: {question}\n  patient: {patient}\n  evidence: '{digest}'\n  decision:{choices}\n"
        "  reason:  # what settled it: the document, and what it says\n  by:  # a role\n"
        "  on:  # the day, written 2026-12-31\n"
    )


def render(items: Sequence[Item]) -> Iterator[str]:
    """A worklist as lines of text for a terminal."""
    for item in items:
        yield f"case {item.case}, {item.state}: {item.question} of patient {item.patient}"
        yield f"  {item.asks}"
        yield from (f"    {choice}: {follows}" for choice, follows in item.choices)
        yield f"  in force: {item.told}"
        yield "  evidence:"
        yield from (f"    {line}" for line in item.evidence)
        if item.state != "decided":
            yield "  to decide, put into protocol/adjudications.yaml and complete:"
            yield from (f"    {line}" for line in item.stanza.splitlines())
        yield ""
    counts = {state: sum(item.state == state for item in items) for state in ("open", "stale", "decided")}
    told = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    yield f"{len(items)} case{'' if len(items) == 1 else 's'}: {told}" if items else "No case is to be decided."
