"""The page of one rule: what it says, why, what ran, what failed, where, and what to do about it.

What does not belong here: counting (assets) and advice that is the rule's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports.links import rule_rows
from aclf_pipeline.reports.validation_site import advice
from aclf_pipeline.reports.validation_site.context import SAMPLE, ValidationContext
from aclf_pipeline.reports.validation_site.corrections import MOST_CSV
from aclf_pipeline.reports.validation_site.judged import CHANGES, MARKS, Judged
from aclf_pipeline.reports.validation_site.overview import group
from aclf_pipeline.reports.validation_site.trend import meter, sparkline

MOST_REFRESHES = 12


def page(context: ValidationContext, rule: Judged, rules: Mapping[str, Judged], files: Mapping[str, str]) -> str:
    """The page of one rule, as one HTML document; `files` maps a path to its page."""
    own = [row for row in context.waivers.iter_rows(named=True) if row["rule"] == rule.rule_id]
    return pages.render(
        "validation_site/rule.html.j2",
        heading=rule.says,
        synthetic=context.synthetic,
        context=context,
        rule=rule,
        group=group(rule.table, rule.category),
        mark=MARKS[rule.state],
        meter=meter(rule.share, rule.tolerate),
        spark=sparkline([row["failing_rows"] for row in rule.history]),
        history=[
            {
                "started": row["started_at"],
                "refresh": str(row["refresh_id"])[:8],
                "failing_rows": row["failing_rows"],
                "passed": "passed" if row["passed"] else "failed",
            }
            for row in reversed(rule.history[-MOST_REFRESHES:])
        ],
        changes=[(state, rule.changes[state]) for state in CHANGES if rule.changes.get(state)],
        waivers=own,
        together=[row | {"rule": rules.get(row["other"])} for row in rule.together],
        files=[row | {"page": files.get(str(row["file"]))} for row in rule.files],
        analyst=advice.for_analyst(rule),
        query=advice.query(rule, context.database),
        download=rule_rows(rule.rule_id) if rule.lines else None,
        cut=MOST_CSV if rule.lines > MOST_CSV else None,
        most=SAMPLE,
    )
