"""The stanzas of the shared pages, typed and frozen: analytes, definitions, rules, waivers, codelists, and what is
asked of a person and decided (questions, adjudications).

What does not belong here: the stanzas of a study (study.py), reading files (pages.py), checks across stanzas
(reader.py) and checks against contracts (proofread.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from aclf_pipeline.protocol.errors import did_you_mean, none_of
from aclf_pipeline.protocol.units import USUAL, is_ucum

V = TypeVar("V")


def _unit_text(value: Any) -> Any:
    """The unit 1 as YAML reads it without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _known_unit(value: str) -> str:
    if not is_ucum(value):
        raise ValueError(f"names unit '{value}', which is not a UCUM unit.{did_you_mean(value, USUAL)}")
    return value


def _one_line(value: str) -> str:
    """Text folded to one line; a blank text says nothing and is refused."""
    folded = " ".join(value.split())
    if not folded:
        raise ValueError("is blank; write a sentence")
    return folded


Says = Annotated[str, AfterValidator(_one_line)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Unit = Annotated[str, BeforeValidator(_unit_text), AfterValidator(_known_unit)]
Loinc = Annotated[str, Field(pattern=r"^\d{1,7}-\d$")]
Scalar = bool | int | float | str | date
Action = Literal["block", "quarantine", "flag", "repair", "adjudicate"]
Backwards = Literal["block", "fail", "warn", "ignore"]
Frozen = Annotated[Mapping[str, V], AfterValidator(MappingProxyType), PlainSerializer(dict)]


class Stanza(BaseModel):
    """What every stanza shares: no unknown word, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Analyte(Stanza):
    """One analyte: its unit, the units it may arrive in, the limits outside of which a number is no measurement.

    `accepts` maps a UCUM unit to the factor with which a value in it becomes a value in `unit`. `hard_limits` are in
    `unit`, inclusive. A result without a unit is read in unit `1`: an analyte printed without a unit has unit `1` or
    accepts it.
    """

    id: Identifier
    says: Says
    unit: Unit
    accepts: Frozen[float] = Field(default_factory=dict)
    hard_limits: tuple[float, float] | None = Field(default=None, alias="limits")
    worst: Literal["high", "low"] | None = None
    loinc: tuple[Loinc, ...] = ()
    aliases: tuple[str, ...] = ()
    because: Says
    unverified: bool = False

    @model_validator(mode="after")
    def _sane(self) -> Analyte:
        for unit, factor in self.accepts.items():
            _known_unit(unit)
            if factor <= 0:
                raise ValueError(f"accepts unit '{unit}' with the factor {factor:g}, which is not above 0")
        if self.accepts.get(self.unit, 1) != 1:
            raise ValueError(f"accepts its own unit '{self.unit}' with a factor other than 1")
        if self.hard_limits and self.hard_limits[0] >= self.hard_limits[1]:
            low, high = self.hard_limits
            raise ValueError(f"has limits from {low:g} to {high:g}; the low limit must lie below the high one")
        return self

    @property
    def factors(self) -> dict[str, float]:
        """Every unit a value may arrive in, the own unit included, and its factor to `unit`."""
        return {**self.accepts, self.unit: 1.0}


class Definition(Stanza):
    """One definition: named cut-offs and the source they come from. A null cut-off is switched off."""

    id: Identifier
    says: Says
    because: Says
    unverified: bool = False
    cutoffs: Frozen[float | str | None]


class Rule(Stanza):
    """One quality rule. With `holds` it is a flat boolean over promised columns; without, an audit of the same id.

    `follows` tells an analyst what failing rows mean for an analysis, where the action alone does not say it.
    A rule that repairs or adjudicates is always an audit. One that adjudicates names the `question` its rows are
    evidence of, and in `quarantine_when` the choices under which they are set aside.
    """

    id: Identifier
    table: str
    says: Says
    holds: Says | None = None
    category: Annotated[str, Field(pattern=r"^(conformance|completeness|plausibility)(/[a-z_]+)?$")]
    action: Action
    tolerate: Annotated[float, Field(ge=0, le=1)] = 0.0
    backwards: Backwards | None = None
    because: Says
    fix: Says
    follows: Says | None = None
    sources: tuple[str, ...] | None = None
    question: Identifier | None = None
    quarantine_when: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _sane(self) -> Rule:
        if self.action == "adjudicate" and self.question is None:
            raise ValueError("adjudicates and names no 'question' of questions.yaml")
        if self.action != "adjudicate" and (self.question is not None or self.quarantine_when):
            word = "question" if self.question is not None else "quarantine_when"
            raise ValueError(f"has '{word}' with action {self.action}; only a rule that adjudicates has it")
        if self.action in ("repair", "adjudicate") and self.holds is not None:
            raise ValueError(f"has 'holds' with action {self.action}, which asks for an audit sql/audits/{self.id}.sql")
        return self

    @property
    def fingerprint(self) -> str:
        """Twelve characters that change when what the rule asks or does changes; its wording does not count."""
        return self.fingerprint_with(None)

    def fingerprint_with(self, audit_sql: str | None) -> str:
        """The fingerprint with the text of the rule's audit taken in."""
        asked: list[object] = [self.id, self.table, self.holds or audit_sql, self.action]
        if self.question is not None:
            asked += [self.question, sorted(self.quarantine_when)]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()[:12]

    @property
    def on_going_backwards(self) -> Backwards:
        """What follows when a finding comes back, or a row fails that was known and clean: the page's word.

        Without one the check fails; a rule that repairs or asks a person only says so, since nothing is lost by it.
        """
        return self.backwards or ("warn" if self.action in ("repair", "adjudicate") else "fail")

    def applies_to(self, source: str) -> bool:
        """Whether the rule is meant for a source."""
        return self.sources is None or source in self.sources


class Waiver(Stanza):
    """A known violation that is accepted until a day, for at most so many rows. `scope` is a flat boolean or absent."""

    rule: Identifier
    scope: Says | None = None
    reason: Says
    owner: Says
    approver: Says
    expires: date
    at_most: Annotated[int, Field(ge=1)]

    def valid_on(self, day: date) -> bool:
        """Whether the waiver still holds on a day, the last day included."""
        return day <= self.expires


class Question(Stanza):
    """What the data cannot settle and a person must. Until somebody decides, the `default` holds.

    `choices` maps each possible decision to what follows from it.
    """

    id: Identifier
    asks: Says
    choices: Frozen[Says]
    default: Identifier
    because: Says

    @model_validator(mode="after")
    def _sane(self) -> Question:
        if len(self.choices) < 2:
            raise ValueError("leaves no choice; a question has at least two")
        if self.default not in self.choices:
            raise ValueError(f"has default '{self.default}', {none_of(self.default, self.choices)}")
        return self


class Adjudication(Stanza):
    """A signed decision about one case: one question about one patient, on the evidence that was seen.

    `patient` is a pseudonym. `evidence` is the digest of the evidence as the worklist shows it; when the evidence has
    changed since, the decision no longer holds.
    """

    question: Identifier
    patient: Says
    evidence: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    decision: Identifier
    reason: Says
    by: Says
    on: date

    @property
    def case(self) -> tuple[str, str]:
        """Question and patient: what is decided."""
        return self.question, self.patient


class Code(Stanza):
    """One row of a codelist. `system` covers every version whose name begins with it."""

    system: Says
    code: Says
    label: Says
    match: Literal["exact", "prefix", "text"]
