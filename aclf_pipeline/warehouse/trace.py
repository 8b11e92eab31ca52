"""The journey of a value: from the cohort back through the protocol's unit and the staged row to the delivered line.

What does not belong here: computing anything (every step is read from a table that the refresh left behind), the lines
of text (`trace_text`), and what is no value of a candidate (`story`).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.warehouse.connection import Warehouse, WarehouseError, quoted
from aclf_pipeline.warehouse.places import files_of, place
from aclf_pipeline.warehouse.row_id import unpack

_MOST_STEPS = 20
"""Source rows of one value that are followed; the rest are counted."""
_MOST_OTHERS = 10
_HIDDEN = ("_row_id", "patient_id", "name_id", "national_id", "person_id")


@dataclass(frozen=True)
class Step:
    """One source row of a value, as each layer has it; what a layer does not have is empty."""

    row_id: int
    file: str | None
    sheet: str | None
    line: int
    delivery: str | None
    """Batch and bytes the file came as: its name, encoding and SHA-256."""
    cells: dict[str, str]
    """Cells as delivered, pseudonyms left out."""
    receipts: list[str]
    kind: str | None
    staged: dict[str, Any]
    repairs: list[str]
    """Cells a rule put right: what became of them, how sure that is, on what evidence, by which rule."""
    repaired: dict[str, Any]
    """The row as the gate let it pass, where a rule put a cell right."""
    harmonised: dict[str, Any]
    """value, unit, factor and verdict of a laboratory result in the protocol's unit."""
    rule_ids: list[str]
    cases: list[str]
    """Questions to a person that the row is evidence of."""


@dataclass(frozen=True)
class TracedValue:
    """One value of a candidate, why it is what it is, and the rows it comes from."""

    variable: str
    value: float | None
    value_text: str | None
    unit: str | None
    explanation: str
    rule_ids: list[str]
    steps: list[Step]
    more_rows: int
    others: list[str]
    """Further readings of the variable's window that were not taken, with their places."""


@dataclass(frozen=True)
class Trace:
    """The values of a candidate. `verdict` says whether the candidate is in the cohort, and else why not."""

    candidate_id: str
    person_id: str | None
    verdict: str
    values: list[TracedValue]
    cases: list[str]
    """Questions to a person about the candidate's records."""


def trace(wh: Warehouse, patient: str, variable: str | None = None) -> Trace:
    """Follow one variable of a candidate, or all, back to the bytes they came from.

    `patient` is a candidate_id, a person_id or a patient_id, all pseudonyms. Raises WarehouseError when there is no
    such candidate or variable, with the nearest that there is, or when nothing has been built yet.
    """
    if "marts.candidates" not in wh.tables():
        raise WarehouseError("trace: there is no marts.candidates yet. Refresh the study first.")
    candidate, person = find_candidate(wh, patient)
    verdict, source = _verdict(wh, candidate)
    facts = wh.rows(
        f"select variable, value, value_text, row_ids, rule_ids, explanation from {source}"
        " where candidate_id = ? order by variable",
        [candidate],
    )
    if variable is not None:
        known = [fact[0] for fact in facts]
        if variable not in known:
            near = _near(variable, known)
            raise WarehouseError(
                f"trace: candidate '{candidate}' has no variable '{variable}'.{near} There are: {', '.join(known)}."
            )
        facts = [fact for fact in facts if fact[0] == variable]
    units = units_of(wh)
    values = [
        TracedValue(
            name, value, text, units.get(name), explanation, list(rules or ()),
            [_step(wh, row_id) for row_id in (row_ids or ())[:_MOST_STEPS]],
            max(0, len(row_ids or ()) - _MOST_STEPS),
            _others(wh, candidate, name, row_ids or ()),
        )
        for name, value, text, row_ids, rules, explanation in facts
    ]  # fmt: skip
    return Trace(candidate, person, verdict, values, _cases_of_person(wh, person))


def find_candidate(wh: Warehouse, patient: str) -> tuple[str, str | None]:
    """(candidate_id, person_id) of a candidate, person or record; of a person's several candidates the first."""
    found = wh.rows(
        """-- the candidate meant: one row per candidate
        select distinct c.candidate_id, c.person_id
        from marts.candidates as c
        left join intermediate.persons as p on p.person_id = c.person_id
        where $asked in (c.candidate_id, c.person_id, p.patient_id)
        order by all""",
        {"asked": patient},
    )
    if not found:
        known = sorted(
            {name for pair in wh.rows("select candidate_id, person_id from marts.candidates") for name in pair if name}
        )
        raise WarehouseError(f"trace: there is no candidate, person or record '{patient}'.{_near(patient, known)}")
    candidate, person = found[0]
    return str(candidate), person


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


def _verdict(wh: Warehouse, candidate: str) -> tuple[str, str]:
    """What became of a candidate, and the table that holds the provenance of its values."""
    tables = wh.tables()
    if "marts.cohort_provenance" in tables and wh.scalar(
        "select count(*) from marts.cohort_provenance where candidate_id = ?", [candidate]
    ):
        return "in the cohort", "marts.cohort_provenance"
    reason = None
    if "marts.eligibility" in tables:
        reason = wh.scalar("select exclusion_reason from marts.eligibility where candidate_id = ?", [candidate])
    return f"not in the cohort ({reason or 'no verdict yet'})", "intermediate.facts"


def units_of(wh: Warehouse) -> dict[str, str]:
    """Variable → unit, for variables that are analytes and whose unit is not one; a logarithm says that it is one."""
    found = wh.rows(
        "select b.variable, a.unit from rules.baseline as b join rules.analytes as a"
        " on a.analyte = coalesce(b.analyte, b.item)"
    )
    return {
        variable: f"log10 {unit}" if variable.endswith("_log10") else unit for variable, unit in found if unit != "1"
    }


def _others(wh: Warehouse, candidate: str, variable: str, taken: Sequence[int]) -> list[str]:
    """Readings in the variable's window that are not the one picked, in time; the first few."""
    if "intermediate.readings" not in wh.tables():
        return []
    found = wh.rows(
        """-- readings that were not taken: one row per reading
        select observed_at, submitted, value, _row_id from intermediate.readings
        where candidate_id = $candidate and variable = $variable and not list_contains($taken, _row_id)
        order by observed_at, _row_id""",
        {"candidate": candidate, "variable": variable, "taken": [*taken, 0]},
    )
    files = files_of(wh) if found else {}
    told = [
        f"{observed}, {submitted or value}, {place(row_id, files)}"
        for observed, submitted, value, row_id in found[:_MOST_OTHERS]
    ]
    return told + ([f"and {len(found) - _MOST_OTHERS} more"] if len(found) > _MOST_OTHERS else [])


def _step(wh: Warehouse, row_id: int) -> Step:
    at = unpack(row_id)
    found = wh.rows(
        "select path, raw_table, sheets, concat_ws(', ', 'batch ' || batch, encoding, 'SHA-256 ' || sha256)"
        " from quality.files where file_id = ?",
        [at.file_id],
    )
    path, raw_table, sheets, delivery = found[0] if found else (None, None, None, None)
    kind, staged = _row(wh, "staging", row_id)
    repairs = _repairs(wh, row_id)
    return Step(
        row_id=row_id,
        file=path,
        sheet=sheets[at.sheet - 1] if sheets and 0 < at.sheet <= len(sheets) else None,
        line=at.line,
        delivery=delivery,
        cells=_cells(wh, raw_table, row_id) if raw_table else {},
        receipts=[
            f"{rule}{f' in {column}' if column else ''}: {seen} → {became}"
            for rule, column, seen, became in wh.rows(
                "select rule_id, column_name, seen, became from quality.receipts"
                " where _row_id = row_raw(?) order by all",
                [row_id],
            )
        ],
        kind=kind,
        staged=staged,
        repairs=repairs,
        repaired=_row(wh, "core", row_id)[1] if repairs else {},
        harmonised=_harmonised(wh, row_id) if kind == "labs" else {},
        rule_ids=[
            rule
            for (rule,) in wh.rows(
                "select distinct rule_id from quality.violations where _row_id = ?"
                " and action not in ('repair', 'adjudicate') order by rule_id",
                [row_id],
            )
        ],
        cases=_cases_of_row(wh, row_id),
    )


def _repairs(wh: Warehouse, row_id: int) -> list[str]:
    return [
        f"{column}: {was or '(missing)'} → {became} ({confidence}; {evidence}) by {rule}"
        for column, was, became, confidence, evidence, rule in wh.rows(
            "select column_name, was, became, confidence, evidence, rule_id from quality.repairs where _row_id = ?"
            " order by all",
            [row_id],
        )
    ]


def _cases_of_person(wh: Warehouse, person: str | None) -> list[str]:
    return _cases(wh, "c.patient_id in (select patient_id from intermediate.persons where person_id = $asked)", person)


def _cases_of_row(wh: Warehouse, row_id: int) -> list[str]:
    return _cases(
        wh,
        "exists (from quality.violations as v where v._row_id = $asked and v.action = 'adjudicate'"
        " and v.patient_id = c.patient_id and list_contains(c.rule_ids, v.rule_id))",
        row_id,
    )


def _cases(wh: Warehouse, which: str, asked: object) -> list[str]:
    found = wh.rows(
        f"""-- cases of a row or person: one row per case
        select c.case_id, c.question, c.state, c.in_force,
            if(c.state = 'decided', c.decided_by, null), if(c.state = 'decided', c.decided_on, null)
        from quality.cases as c
        where {which}
        order by c.question, c.patient_id""",
        {"asked": asked},
    )
    return [
        f"{case}, {question}: {state}, '{in_force}' in force" + (f", decided by {by} on {on}" if by and on else "")
        for case, question, state, in_force, by, on in found
    ]


def _cells(wh: Warehouse, raw_table: str, row_id: int) -> dict[str, str]:
    """The delivered cells that are not empty and are no pseudonym or fact derived from an identifier."""
    pseudonymous = {
        name.split("__")[0] for name, _ in wh.columns(raw_table) if name.endswith(("__padded", "__damaged", "__valid"))
    }
    rows = wh.frame(f"select * from {quoted(raw_table)} where _row_id = row_raw(?)", [row_id]).to_dicts()
    return {
        name: text
        for row in rows
        for name, text in row.items()
        if name != "_row_id" and name.split("__")[0] not in pseudonymous and text not in (None, "")
    }


def _row(wh: Warehouse, schema: str, row_id: int) -> tuple[str | None, dict[str, Any]]:
    """Kind and cells of a row in `staging` or `core`."""
    tables = wh.tables()
    for kind in KINDS:
        if f"{schema}.{kind}" in tables:
            rows = wh.frame(f"select * from {schema}.{kind} where _row_id = ?", [row_id]).to_dicts()
            if rows:
                return kind, {n: v for n, v in rows[0].items() if v is not None and n not in _HIDDEN}
    return None, {}


def _harmonised(wh: Warehouse, row_id: int) -> dict[str, Any]:
    if "intermediate.labs" not in wh.tables():
        return {}
    rows = wh.frame(
        "select analyte, operator, value, unit, factor, verdict, unit_evidence, unit_confidence"
        " from intermediate.labs where _row_id = ?",
        [row_id],
    ).to_dicts()
    return {name: value for name, value in rows[0].items() if value is not None} if rows else {}
