"""The pages of one refresh: frames read from the warehouse, put into the contexts that reports render, and written.

What does not belong here: how a page looks (reports).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.reports import dictionary, study, validation
from aclf_pipeline.warehouse.analysis_tables import COHORT, read_analysis
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.ledger import finish_refresh

EXPECTATIONS = "quality.expectations"
_POPULATIONS = f"select * from {EXPECTATIONS}"
_SAMPLE = """
    with places as (
        select distinct v.rule_id, v.patient_id as patient, v.observed, f.file_id, f.path as file,
            row_line(v._row_id) as line,
            case when row_sheet(v._row_id) > 0 then f.sheets[row_sheet(v._row_id)] end as sheet
        from quality.violations as v
        left join quality.files as f on f.file_id = row_file(v._row_id)
    )
    select rule_id, patient, observed, file, line, sheet
    from places
    qualify row_number() over (partition by rule_id order by file_id, sheet, line, observed) <= 25
    order by rule_id, file_id, sheet, line, observed
"""
_BY_FILE = """
    select v.rule_id, f.path as file, count(*) as rows
    from quality.violations as v
    inner join quality.files as f on f.file_id = row_file(v._row_id)
    group by all order by v.rule_id, rows desc, f.path
"""
_HISTORY = """
    select c.refresh_id, r.started_at, c.rule_id, c.failing_rows
    from quality.checks as c
    inner join quality.refreshes as r on c.refresh_id = r.refresh_id
    order by r.started_at, c.rule_id
"""
_SUPERSEDED = "select table_name, reason, count(*) as rows from quality.superseded group by all order by all"
_RECEIPTS = "select rule_id, table_name, column_name, count(*) as rows from quality.receipts group by all order by all"
_QUARANTINE = "select table_name, count(*) as rows from quality.quarantine group by all order by all"


def finish_published(house: House, wh: Warehouse, refresh_id: str, release: str) -> Path:
    """Note in the ledger that this refresh was published, and write its validation page."""
    finish_refresh(wh, refresh_id, datetime.now(UTC).replace(tzinfo=None), "published")
    return _write_validation(house, wh, refresh_id, release=release, populations=wh.frame(_POPULATIONS))


def finish_held_back(
    house: House, wh: Warehouse, refresh_id: str, broken: Mapping[str, Sequence[str]] | None = None
) -> Path:
    """Note in the ledger that this refresh was held back, and write its validation page, which says why.

    `broken` are the problems of each table of the marts; without it, the refresh did not come as far as the marts, and
    the populations measured by an earlier one are not shown as its own.
    """
    finish_refresh(wh, refresh_id, datetime.now(UTC).replace(tzinfo=None), "held_back")
    problems = [{"table": t, "problem": problem} for t, found in (broken or {}).items() for problem in found]
    populations = pl.DataFrame() if broken is None else wh.frame(_POPULATIONS)
    return _write_validation(house, wh, refresh_id, populations=populations, contracts=pl.DataFrame(problems))


def _write_validation(
    house: House,
    wh: Warehouse,
    refresh_id: str,
    *,
    populations: pl.DataFrame,
    release: str | None = None,
    contracts: pl.DataFrame | None = None,
) -> Path:
    context = validation.ValidationContext(
        source=house.source.id,
        study=house.protocol.study.id,
        as_of=house.as_of,
        refresh_id=refresh_id,
        protocol_digest=house.protocol.digest,
        published=release is not None,
        release=release,
        synthetic=house.settings.is_synthetic,
        checks=wh.frame("select * from quality.checks where refresh_id = ?", [refresh_id]),
        rules=validation.rules_frame(house.rules, house.audits),
        violations=wh.frame(_SAMPLE),
        by_file=wh.frame(_BY_FILE),
        files=wh.frame("select * from quality.files order by file_id"),
        file_problems=wh.frame("select * from quality.file_problems"),
        batches=wh.frame("select * from quality.batches order by seq"),
        superseded=wh.frame(_SUPERSEDED),
        receipts=wh.frame(_RECEIPTS),
        quarantine=wh.frame(_QUARANTINE),
        history=wh.frame(_HISTORY),
        expectations=populations,
        contracts=pl.DataFrame() if contracts is None else contracts,
    )
    return _write(house, "validation.html", validation.page(context))


def write_dictionary(house: House) -> Path:
    """The data dictionary, from contracts and protocol alone."""
    absent = house.source.absent
    described = [dictionary.table_info(f"core.{kind}", contract, absent.get(kind)) for kind, contract in KINDS.items()]
    marts = MARTS[house.settings.study]
    described += [dictionary.table_info(f"marts.{name}", contract) for name, contract in marts.items()]
    page = dictionary.page(
        house.protocol,
        described,
        source=house.source.id,
        audits=house.audits,
        synthetic=house.settings.is_synthetic,
    )
    return _write(house, "dictionary.html", page)


def write_study(house: House, wh: Warehouse, data_digest: str) -> Path:
    """The study page: flow chart, table one, curves, models, limits."""
    protocol, cohort = house.protocol, wh.frame(COHORT)
    analyses = [(spec, read_analysis(wh, spec.id)) for spec in protocol.analysis]
    context = study.StudyContext(
        study=protocol.study,
        source=house.source.id,
        as_of=house.as_of,
        protocol_digest=protocol.digest,
        data_digest=data_digest,
        attrition=wh.frame("select * from marts.attrition order by step"),
        analyses=tuple(
            study.Analysed(spec, found.table, found.results, found.more, found.remarks, found.reason)
            for spec, found in analyses
        ),
        missingness=study.missingness(cohort, [*protocol.study.baseline, *protocol.study.scores]),
        synthetic=house.settings.is_synthetic,
    )
    return _write(house, "study.html", study.page(context))


def _write(house: House, name: str, page: str) -> Path:
    path = house.settings.reports / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")
    return path
