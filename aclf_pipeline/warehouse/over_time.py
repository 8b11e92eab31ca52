"""The ledger over time, read for a person: findings by state, and what a refresh came to against the one before.

What does not belong here: telling findings apart (quality) and what a page or terminal makes of it.
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import none_of
from aclf_pipeline.warehouse.connection import Warehouse

STATES = ("new", "persisting", "resolved", "reopened", "rule_changed")
"""What can have become of a finding since the last refresh."""


def check_state(rule: str | None, state: str) -> None:
    """Raises UserError for a state there is none of, or one without a rule."""
    if rule is None:
        raise UserError("violations: --state asks for a rule; name it, as in `aclf violations RULE --state new`.")
    if state not in STATES:
        raise UserError(f"violations: --state is '{state}', {none_of(state, STATES)}")


def findings_of(wh: Warehouse, rule: str, state: str, limit: int = 25) -> pl.DataFrame:
    """Findings of a rule in one state, open or gone, with why and when it came to that; at most `limit`."""
    return wh.frame(
        """-- findings of one rule in one state: one row per finding
        select n.table_name as "table", n.patient_id as patient, n.because, n.first_seen::date as first_seen,
            n.last_seen::date as last_seen, n.times_opened, n.file, row_line(n._row_id) as line
        from quality.findings as n
        where n.rule_id = $rule and n.state = $state
        order by n.last_seen desc, n._row_id limit $limit""",
        {"rule": rule, "state": state, "limit": limit},
    )


def findings_told(wh: Warehouse) -> list[str]:
    """What became of findings in the last judged refresh, and what left quarantine, each in a sentence."""
    refresh, resolved, new, reopened, changed, backwards = wh.rows(
        """-- findings of the last judged refresh: one row
        select any_value(refresh_id), sum(resolved), sum(new), sum(reopened), sum(rule_changed), sum(backwards)
        from quality.checks where seq = (select max(seq) from quality.checks)"""
    )[0]
    if refresh is None:
        return []
    told = [f"{resolved:,} findings resolved, {new:,} new, {reopened:,} re-opened"]
    if changed:
        told.append(f"by changed rules, neither better nor worse: {changed:,} findings came or went")
    released = wh.rows(
        """-- what left quarantine, by reason: one row per reason
        select because, count(*) as findings from quality.quarantine_releases
        where refresh_id = ? group by because order by findings desc, because""",
        [refresh],
    )
    if released:
        reasons = ", ".join(f"{count:,} {because}" for because, count in released)
        told.append(f"left quarantine: {reasons} (quality.quarantine_releases)")
    if backwards:
        told.append(f"gone backwards: {backwards:,} findings; `aclf violations RULE` lists them first")
    return told
