"""The whole site as (path, page) pairs, one at a time.

What does not belong here: putting them anywhere, and the downloads, which are written row by row.
"""

from __future__ import annotations

from collections.abc import Iterator

from aclf_pipeline.reports import links
from aclf_pipeline.reports.links import CASES, OVERVIEW
from aclf_pipeline.reports.validation_site import case_page, files, overview, rule_page
from aclf_pipeline.reports.validation_site.context import ValidationContext
from aclf_pipeline.reports.validation_site.judged import judged


def pages_of(context: ValidationContext) -> Iterator[tuple[str, str]]:
    """Every page with its place relative to the root of the site; no two have the same place."""
    rules = judged(context)
    delivered = files.delivered(context)
    by_id = {rule.rule_id: rule for rule in rules}
    places = {file.path: links.file_page(file.key) for file in delivered}
    yield OVERVIEW, overview.page(context, rules, delivered)
    if context.cases.height:
        yield CASES, case_page.page(context)
    for rule in rules:
        yield links.rule_page(rule.rule_id), rule_page.page(context, rule, by_id, places)
    for file in delivered:
        yield links.file_page(file.key), files.page(context, file, by_id)
