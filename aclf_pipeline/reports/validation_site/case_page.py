"""The worklist of cases: what a person must decide, on what evidence, what holds meanwhile, and the words to paste.

What does not belong here: deciding.
"""

from __future__ import annotations

from typing import Any

from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.validation_site.context import ValidationContext
from aclf_pipeline.reports.validation_site.judged import by, pseudonym

STATES = {"open": ("? open", "note"), "stale": ("! stale", "bad"), "decided": ("✓ decided", "good")}
"""State → its words and its style; what waits for somebody comes first."""


def page(context: ValidationContext) -> str:
    """The worklist, as one HTML document. The context has cases."""
    questions = {row["question"]: row for row in tables.rows(context.questions)}
    own = by(context.cases, "question")
    listed = [_question(name, questions.get(name, {}), own[name]) for name in sorted(own)]
    return pages.render(
        "validation_site/cases.html.j2",
        heading=f"Cases to be decided: {context.source} for {context.study}",
        synthetic=context.synthetic,
        context=context,
        questions=listed,
        states=STATES,
        totals={state: sum(case["state"] == state for rows in own.values() for case in rows) for state in STATES},
    )


def _question(name: str, asked: dict[str, Any], cases: list[dict[str, Any]]) -> dict[str, Any]:
    """A question with its cases, those that wait for somebody first."""
    order = list(STATES)
    made = [case | {"patient": pseudonym(case["patient_id"])} for case in cases]
    made.sort(key=lambda case: (order.index(case["state"]), str(case["patient"])))
    return {
        "question": name,
        "asks": asked.get("asks") or name,
        "because": asked.get("because"),
        "choices": asked.get("choices") or [],
        "default": cases[0]["default_choice"],
        "cases": made,
        "waiting": sum(case["state"] != "decided" for case in cases),
    }
