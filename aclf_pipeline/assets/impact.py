"""`aclf impact` and its asset: what each rule changes in this house's study.

What does not belong here: how it is found out (quality/impact, quality/association).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.errors import UserError
from aclf_pipeline.quality.association import associations, later_era, primary_event
from aclf_pipeline.quality.impact import Impact, Rebuilt, impact_of, log_unblinding, primary_model, touched
from aclf_pipeline.warehouse.connection import Warehouse

NEEDED = ("marts.cohort", "marts.candidates", "intermediate.persons", "core.labs")


@dataclass(frozen=True)
class Unblinding:
    """Why, and in whose name, the outcome is looked at."""

    reason: str
    by: str


@dataclass(frozen=True)
class ImpactReport:
    """touched: per rule rows, patients, candidates and members. impacts: what single rules and choices change.

    by_era: association with the later years, and the first of these. by_outcome: with the primary event; None while
    blinded.
    """

    touched: pl.DataFrame
    impacts: Sequence[Impact]
    by_era: pl.DataFrame
    later_from: int
    by_outcome: pl.DataFrame | None


def impact_report(
    house: House, rules: Sequence[str], *, every: bool = False, unblinding: Unblinding | None = None
) -> ImpactReport:
    """Who the rules touch; what the named rules (or every rule that touches a candidate) change; what damage goes with.

    Raises UserError before a refresh has made a cohort, for an unknown rule, and for unblinding without a reason.
    """
    with house.open() as wh:
        _must_be_refreshed(wh)
        if unblinding is not None:
            primary_model(house.protocol)
            what = f"aclf impact {' '.join(rules) or ('--all' if every else '')}".strip()
            now = datetime.now(UTC).replace(tzinfo=None)
            log_unblinding(wh, now, what, unblinding.reason, unblinding.by)
        found = touched(wh)
        known = found.filter(pl.col("rule_id").is_in(list(house.protocol.rules)))
        asked = known.filter(pl.col("candidates") > 0)["rule_id"].to_list() if every else list(rules)
        impacts = impact_of(wh, _rebuilt(house), asked, unblinded=unblinding is not None)
        variables = [*house.protocol.study.baseline]
        era, first = later_era(wh)
        by_outcome = None
        if unblinding is not None:
            study = house.protocol.study
            event = primary_event(wh, study.endpoints[study.primary_endpoint].horizon_days)
            by_outcome = associations(wh, event, variables)
        return ImpactReport(found, impacts, associations(wh, era, variables), first, by_outcome)


def _must_be_refreshed(wh: Warehouse) -> None:
    if missing := [name for name in NEEDED if name not in wh.tables()]:
        raise UserError(f"impact: there is no {missing[0]} yet. Run `aclf refresh` first.")


def _rebuilt(house: House) -> Rebuilt:
    downstream = [model for model in house.models if model.schema in ("intermediate", "marts")]
    return Rebuilt(
        protocol=house.protocol,
        audits=house.audits,
        models=downstream,
        contracts={m.table: contract for m in downstream if (contract := house.contract(m.table)) is not None},
        source=house.source.id,
        as_of=house.as_of,
    )


def impact_tables(report: ImpactReport) -> list[tuple[str, pl.DataFrame]]:
    """The report as titled tables of plain figures; an empty one is left out."""
    switched = pl.DataFrame(
        [
            {"rule": i.rule_id, "variant": i.what, "members": i.members, "entering": i.entering, "leaving": i.leaving,
             "changed": i.changed, **_events(i)}
            for i in report.impacts
        ],
        infer_schema_length=None,
    )  # fmt: skip
    ratios = [
        i.hazard_ratios.select(pl.lit(f"{i.rule_id}: {i.what}").alias("variant"), pl.all())
        for i in report.impacts
        if i.hazard_ratios is not None
    ]
    titled = [
        ("Whom each rule touches", report.touched),
        ("What a rule switched off, or another choice, changes", switched),
        ("Primary model as it is and in the variant", pl.concat(ratios) if ratios else pl.DataFrame()),
        (f"Association with the later years (from {report.later_from})", report.by_era),
        ("Association with the primary event", pl.DataFrame() if report.by_outcome is None else report.by_outcome),
    ]
    return [(title, frame.with_columns(pl.col(pl.Float64).round(4))) for title, frame in titled if frame.height]


def _events(impact: Impact) -> dict[str, object]:
    if impact.reason is not None:
        return {"events": None, "events without": None, "not fitted": impact.reason}
    return {} if impact.events is None else {"events": impact.events[0], "events without": impact.events[1]}
