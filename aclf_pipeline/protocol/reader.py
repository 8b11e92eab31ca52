"""`load_protocol`: every page of a study, read, typed, cross-checked, frozen; or one error with all that is wrong.

What does not belong here: checks that need the contracts (proofread.py), and anything done with the pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from aclf_pipeline.protocol.digest import canonical_text, digest_of
from aclf_pipeline.protocol.errors import ProtocolError, did_you_mean, none_of
from aclf_pipeline.protocol.models import (
    Adjudication,
    Analyte,
    Code,
    Definition,
    Frozen,
    Question,
    Rule,
    Stanza,
    Waiver,
)
from aclf_pipeline.protocol.pages import one_stanza, read_codelist, read_yaml, stanzas_by_name, stanzas_in_order
from aclf_pipeline.protocol.plan import KINDS, Analysis, plan_problems
from aclf_pipeline.protocol.study import Baseline, Covariate, Endpoint, Parameter, Study, TimeZero

S = TypeVar("S", bound=Stanza)

SHARED_PAGES = (
    "analytes.yaml", "definitions.yaml", "rules.yaml", "waivers.yaml", "questions.yaml", "adjudications.yaml",
)  # fmt: skip
"""The pages every study reads."""


class Protocol(BaseModel):
    """All pages that hold for one study. `digest` names their content; two equal digests mean equal pages.

    `canonical` is that content, as text: what a release keeps, so that a later version can be compared with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    analytes: Frozen[Analyte]
    definitions: Frozen[Definition]
    rules: Frozen[Rule]
    waivers: tuple[Waiver, ...]
    questions: Frozen[Question] = Field(default_factory=dict)
    adjudications: tuple[Adjudication, ...] = ()
    codelists: Frozen[tuple[Code, ...]]
    study: Study
    analysis: tuple[Analysis, ...]
    digest: str
    canonical: str = Field(default="", repr=False)

    def without(self, rule_id: str) -> Protocol:
        """The same pages without one rule; the digest stays that of the pages as they are."""
        return self.model_copy(update={"rules": {name: rule for name, rule in self.rules.items() if name != rule_id}})

    def judged_with(self, rule_id: str) -> tuple[str, ...]:
        """The table of a rule, and those of the rules that put the same question: they are judged together."""
        rule = self.rules[rule_id]
        asking = (other.table for other in self.rules.values() if rule.question and other.question == rule.question)
        return tuple(dict.fromkeys([rule.table, *asking]))

    def rules_for(self, table: str, source: str | None = None) -> list[Rule]:
        """The rules of one table, in the order of the page, for a source (default: the study's)."""
        asked = source or self.study.source
        return [rule for rule in self.rules.values() if rule.table == table and rule.applies_to(asked)]


def load_protocol(folder: Path, study: str) -> Protocol:
    """Read all pages of a study.

    Raises `ProtocolError` with every problem of every page at once; never a trace for a misprint.
    """
    folder = Path(folder)
    if study not in (known := studies(folder)):
        raise ProtocolError([f"study '{study}' has no folder under studies/.{_or_one_of(study, known)}"])
    problems: list[str] = []
    raw: dict[str, Any] = {}
    for page in SHARED_PAGES:
        raw[page] = read_yaml(folder, page, problems)
    study_page, plan_page = f"studies/{study}/study.yaml", f"studies/{study}/analysis.yaml"
    raw[study_page], raw[plan_page] = read_yaml(folder, study_page, problems), read_yaml(folder, plan_page, problems)
    # read for the digest alone: what is expected of populations is typed where it is asked (expectations.py)
    expected_page = f"studies/{study}/expectations.yaml"
    if (folder / expected_page).is_file():
        raw[expected_page] = read_yaml(folder, expected_page, problems)

    analytes = stanzas_by_name("analytes.yaml", raw["analytes.yaml"], Analyte, problems)
    definitions = stanzas_by_name("definitions.yaml", raw["definitions.yaml"], Definition, problems)
    rules = stanzas_in_order("rules.yaml", raw["rules.yaml"], Rule, problems)
    waivers = stanzas_in_order("waivers.yaml", raw["waivers.yaml"], Waiver, problems)
    questions = stanzas_in_order("questions.yaml", raw["questions.yaml"], Question, problems)
    decisions = stanzas_in_order("adjudications.yaml", raw["adjudications.yaml"], Adjudication, problems)
    codelists = {path.stem: tuple(read_codelist(path, problems)) for path in sorted(folder.glob("codelists/*.csv"))}
    the_study = _study(study_page, raw[study_page], problems)
    plan = stanzas_in_order(plan_page, raw[plan_page], KINDS, problems)

    problems += _shared_loinc(analytes.values())
    problems += _twice("rules.yaml", [rule.id for rule in rules])
    problems += _twice("questions.yaml", [question.id for question in questions])
    problems += _twice(plan_page, [stanza.id for stanza in plan])
    if raw["questions.yaml"] is not None:
        asked = {str(body.get("id")): None for body in _dicts(raw["questions.yaml"])}
        problems += _asked_questions(rules, decisions, {**asked, **{question.id: question for question in questions}})
    problems += _decided_twice(decisions)
    if raw["rules.yaml"] is not None:
        problems += _waived_rules(waivers, [str(body.get("id")) for body in _dicts(raw["rules.yaml"])])
    if the_study is not None:
        problems += _study_names(study_page, study, the_study)
        if raw["analytes.yaml"] is not None:
            problems += _measured_names(study_page, the_study, _names(raw["analytes.yaml"]))
        problems += plan_problems(plan_page, plan, the_study)
    if problems or the_study is None:
        raise ProtocolError(problems)
    canonical = canonical_text(raw, codelists)
    return Protocol(
        analytes=analytes,
        definitions=definitions,
        rules={rule.id: rule for rule in rules},
        waivers=tuple(waivers),
        questions={question.id: question for question in questions},
        adjudications=tuple(decisions),
        codelists=codelists,
        study=the_study,
        analysis=tuple(plan),
        digest=digest_of(canonical),
        canonical=canonical,
    )


def studies(folder: Path) -> list[str]:
    """The studies that have a page."""
    return sorted(path.parent.name for path in Path(folder).glob("studies/*/study.yaml"))


def _or_one_of(word: str, known: list[str]) -> str:
    return did_you_mean(word, known) or f" There are: {', '.join(known) or 'none'}."


def _study(page: str, data: Any, problems: list[str]) -> Study | None:
    """The study page; its sections are read first, so that each fault names its stanza."""
    if data is None:
        return None
    if not isinstance(data, dict):
        problems.append(f"{page}: this asks for words with values, as in 'id: …'")
        return None
    before = len(problems)
    sections: dict[str, type[Stanza]] = {
        "parameters": Parameter,
        "time_zeros": TimeZero,
        "baseline": Baseline,
        "endpoints": Endpoint,
        "covariates": Covariate,
    }
    read = {
        name: stanzas_by_name(f"{page}, {name}", data[name], kind, problems, with_id=False)
        for name, kind in sections.items()
        if name in data
    }
    faulty = len(problems) > before
    study = one_stanza(f"{page}:", {**data, **read}, Study, problems)
    return None if faulty else study


def _dicts(data: Any) -> list[dict[str, Any]]:
    return [body for body in data if isinstance(body, dict)] if isinstance(data, list) else []


def _names(data: Any) -> set[str]:
    return {str(name) for name in data} if isinstance(data, dict) else set()


def _shared_loinc(analytes: Iterable[Analyte]) -> list[str]:
    owner: dict[str, str] = {}
    problems = []
    for analyte in analytes:
        for code in analyte.loinc:
            if code in owner:
                problems.append(
                    f"analytes.yaml: '{analyte.id}' has LOINC code {code}, which '{owner[code]}' already has; "
                    "a code means one analyte"
                )
            owner.setdefault(code, analyte.id)
    return problems


def _twice(page: str, ids: Iterable[str]) -> list[str]:
    return [f"{page}: '{name}' stands {n} times; keep one" for name, n in Counter(ids).items() if n > 1]


def _waived_rules(waivers: Iterable[Waiver], rules: Iterable[str]) -> list[str]:
    known = set(rules)
    return [
        f"waivers.yaml: a waiver names rule '{waiver.rule}', which rules.yaml does not have."
        f"{did_you_mean(waiver.rule, known)}"
        for waiver in waivers
        if waiver.rule not in known
    ]


def _asked_questions(
    rules: Iterable[Rule], decisions: Iterable[Adjudication], questions: Mapping[str, Question | None]
) -> Iterable[str]:
    """Rules and decisions must name a question of the page and choices of that question; a faulty one is None."""
    asked = [(f"rules.yaml: '{r.id}'", r.question, "sets rows aside when", r.quarantine_when) for r in rules]
    asked += [
        (f"adjudications.yaml: '{d.question}' of patient '{d.patient}'", d.question, "decides", (d.decision,))
        for d in decisions
    ]
    for where, name, does, choices in asked:
        if name is None:
            continue
        if name not in questions:
            yield f"{where} names question '{name}', which questions.yaml does not have.{did_you_mean(name, questions)}"
        elif (question := questions[name]) is not None:
            for choice in choices:
                if choice not in question.choices:
                    yield f"{where} {does} '{choice}', {none_of(choice, question.choices)}"


def _decided_twice(decisions: Iterable[Adjudication]) -> Iterable[str]:
    """One decision per case and evidence; a later one on other evidence may stand beside it."""
    for (question, patient, evidence), n in Counter((*d.case, d.evidence) for d in decisions).items():
        if n > 1:
            yield (
                f"adjudications.yaml: '{question}' of patient '{patient}' is decided {n} times on evidence"
                f" '{evidence}'; keep one"
            )


def _study_names(page: str, folder: str, study: Study) -> list[str]:
    problems = []
    if study.id != folder:
        problems.append(f"{page}: the id is '{study.id}' and the folder is '{folder}'; write the same")
    problems += _twice(f"{page}, eligibility", [criterion.id for criterion in study.eligibility])
    if (primary := sum(endpoint.primary for endpoint in study.endpoints.values())) != 1:
        problems.append(f"{page}, endpoints: {primary} are primary; name exactly one before looking at the data")
    return [*problems, *_time_names(page, study)]


def _time_names(page: str, study: Study) -> Iterable[str]:
    """Time zeros waive criteria of the page and one is primary; what varies in time is a baseline variable of labs."""
    criteria = [criterion.id for criterion in study.eligibility]
    for name, zero in study.time_zeros.items():
        for waived in zero.waives:
            if waived not in criteria:
                near = did_you_mean(waived, criteria)
                yield f"{page}, time_zeros: '{name}' waives criterion '{waived}', which the page does not have.{near}"
    if study.time_zeros and (primary := sum(zero.primary for zero in study.time_zeros.values())) != 1:
        yield f"{page}, time_zeros: {primary} are primary; exactly one is that of the cohort"
    measured = [name for name, variable in study.baseline.items() if variable.analyte is not None]
    for name in study.time_varying:
        if name not in measured:
            near = did_you_mean(name, measured)
            yield f"{page}: time_varying names '{name}', which is no baseline variable with an analyte.{near}"


def _measured_names(page: str, study: Study, analytes: set[str]) -> list[str]:
    return [
        f"{page}, baseline: '{name}' names analyte '{variable.analyte}', which analytes.yaml does not have."
        f"{did_you_mean(variable.analyte, analytes)}"
        for name, variable in study.baseline.items()
        if variable.analyte is not None and variable.analyte not in analytes
    ]
