"""A trace and a story as lines of text for a terminal.

What does not belong here: finding anything (`trace`, `story`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aclf_pipeline.warehouse.story import KEY, Part, Stories, story_of
from aclf_pipeline.warehouse.trace import Step, Trace, TracedValue

_MOST_CELLS = 20
_VERDICTS = {
    "used": "a number",
    "censored": "only a limit, not a number",
    "text": "no number",
    "unknown_unit": "the protocol has no factor for its unit",
    "other_specimen": "not of blood",
    "unmapped": "no analyte of the protocol",
}
"""What a verdict of intermediate.labs means, for a reader."""


def render(traced: Trace) -> Iterator[str]:
    """A trace as lines of text for a terminal."""
    yield f"candidate {traced.candidate_id}, person {traced.person_id or 'not linked'}: {traced.verdict}"
    yield from (f"  case: {case}" for case in traced.cases)
    for value in traced.values:
        yield ""
        yield f"{value.variable} = {_shown_value(value)}"
        yield f"  why: {value.explanation}"
        if value.rule_ids:
            yield f"  rules: {', '.join(value.rule_ids)}"
        for step in value.steps:
            yield from _step_lines(step)
        if value.more_rows:
            yield f"  … and {value.more_rows} more rows"
        yield from (f"  not taken: {other}" for other in value.others)


def _shown_value(value: TracedValue) -> str:
    """The value with its unit, or with the words it stands for when it has none."""
    if value.value is None:
        return value.value_text or "missing"
    if value.unit:
        return f"{_text(value.value)} {value.unit}"
    number, words = _text(value.value), value.value_text or ""
    return number if words.startswith(number) or not words else f"{number} ({words})"


def _step_lines(step: Step) -> Iterator[str]:
    sheet = f", sheet {step.sheet}" if step.sheet else ""
    yield f"  from: {step.file or 'unknown file'}{sheet}, line {step.line}"
    if step.delivery:
        yield f"    file        {step.delivery}"
    if step.cells:
        yield f"    delivered   {_pairs(step.cells)}"
    for receipt in step.receipts:
        yield f"    repaired    {receipt}"
    if step.staged and step.kind == "labs":
        yield f"    read as     {_reading(step.staged)}"
    elif step.staged:
        yield f"    read as     {step.kind}: {_pairs(step.staged)}"
    for repair in step.repairs:
        yield f"    put right   {repair}"
    if step.harmonised:
        yield f"    converted   {_conversion(step.repaired or step.staged, step.harmonised)}"
        if "unit_evidence" in step.harmonised:
            yield f"    because     {step.harmonised['unit_evidence']} ({step.harmonised['unit_confidence']})"
        verdict = str(step.harmonised.get("verdict"))
        yield f"    verdict     {verdict}{f', {_VERDICTS[verdict]}' if verdict in _VERDICTS else ''}"
    if step.rule_ids:
        yield f"    flagged by  {', '.join(step.rule_ids)}"
    yield from (f"    evidence of {case}" for case in step.cases)


def _reading(staged: dict[str, Any]) -> str:
    """A laboratory result as staging understood it: raw text and unit, what they mean, and of what."""
    raw = f"text '{staged.get('value_text', '')}', " + (
        f"unit '{staged['unit_text']}'" if "unit_text" in staged else "no unit"
    )
    facts = [
        f"{name} {_text(staged[column])}"
        for name, column in {
            "LOINC": "loinc", "specimen": "specimen", "collected": "collected_at", "reported": "reported_at",
            "report": "report_status", "repaired:": "receipt",
        }.items()
        if column in staged
    ]  # fmt: skip
    return f"{_quantity(staged)} ({raw}); {', '.join(facts)}"


def _conversion(staged: dict[str, Any], harmonised: dict[str, Any]) -> str:
    """`9.4 mg/dL × 17.104 = 160.8 umol/L (bilirubin_total)`, or why there is none."""
    if "factor" not in harmonised or "value" not in harmonised:
        return f"not converted ({harmonised.get('analyte', 'no analyte')})"
    return (
        f"{_quantity(staged)} × {_text(harmonised['factor'])} = {_quantity(harmonised)}"
        f" ({harmonised.get('analyte', 'no analyte')})"
    )


def _quantity(cells: dict[str, Any]) -> str:
    """A number with its operator, unless it is an exact one, and its unit, unless that is one."""
    if cells.get("value") is None:
        return str(cells.get("text_result", "no number"))
    operator, unit = cells.get("operator", "="), cells.get("unit", "1")
    return f"{'' if operator == '=' else f'{operator} '}{_text(cells['value'])}{'' if unit == '1' else f' {unit}'}"


def _text(value: Any) -> str:
    """A cell for a line of text: no line breaks, no seconds of zero, no digits beyond measurement."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    return " ⏎ ".join(str(value).splitlines())


def _pairs(cells: dict[str, Any]) -> str:
    shown = [f"{name}={_text(value)}" for name, value in cells.items()]
    more = f" … {len(shown) - _MOST_CELLS} more" if len(shown) > _MOST_CELLS else ""
    return "  ".join(shown[:_MOST_CELLS]) + more


def render_story(stories: Stories) -> Iterator[str]:
    """The story of every candidate in `stories`, part by part."""
    for head in stories.heads.iter_rows(named=True):
        yield f"candidate {head[KEY]}, person {head['person_id'] or 'not linked'}: {head['says']}"
        if head["also"]:
            yield f"  other candidates of this person: {', '.join(head['also'])}"
        for part, rows in story_of(stories, head[KEY]):
            yield ""
            yield f"{part.title}{'' if rows.height else f': {part.empty}'}"
            for row in rows.iter_rows(named=True):
                yield from _STORY_LINES.get(part.id, _row_lines)(part, row)


def _row_lines(part: Part, row: dict[str, str | None]) -> Iterator[str]:
    told = {name: value for name, value in row.items() if value is not None and name != "from"}
    if part.is_tall:
        yield from (f"  {name} = {value}" for name, value in told.items())
    else:
        yield f"  {'  '.join(f'{name}={value}' for name, value in told.items())}"
    yield from _from(row)


def _criterion_lines(part: Part, row: dict[str, str | None]) -> Iterator[str]:  # noqa: ARG001
    yield f"  {row['step']:>2} {row['criterion']}: {row['verdict']}"
    yield f"       {row['says']}; asked: {row['asks']}; {row['value']}"


def _value_lines(part: Part, row: dict[str, str | None]) -> Iterator[str]:  # noqa: ARG001
    number, unit, rules = row.get("value"), row.get("unit"), row.get("rule_ids")
    value = f"{number} {unit}" if number and unit else number or row.get("value_text") or "missing"
    yield f"  {row['variable']} = {value}"
    yield f"       {row['explanation']}" + (f"; flagged by {rules}" if rules else "")
    yield from _from(row)


def _from(row: dict[str, str | None]) -> Iterator[str]:
    if row.get("from"):
        yield f"       from {row['from']}"


_STORY_LINES = {"criteria": _criterion_lines, "values": _value_lines}
