"""The pages of one refresh: frames read from the warehouse, put into the contexts that reports render, and written.

What does not belong here: how a page looks (reports), the queries of the validation site (validation_frames), and how
a folder of pages is put in place (site).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from aclf_pipeline.assets.codebook import CODEBOOK
from aclf_pipeline.assets.delivered_columns import delivered_headers, repaired_columns, rule_columns
from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.self_check_page import self_check_sections
from aclf_pipeline.assets.severity import sections_of
from aclf_pipeline.assets.site import Download, renewed, replace_page, write_downloads, write_pages
from aclf_pipeline.assets.stories import write_stories
from aclf_pipeline.assets.validation_frames import (
    EXPECTATIONS,
    ledger_frames,
    lines_of_file,
    lines_of_rule,
    page_frames,
    rules_of,
)
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.row_keys import remember_rows
from aclf_pipeline.reports import dictionary, links, selection, study
from aclf_pipeline.reports.validation_site import corrections
from aclf_pipeline.reports.validation_site.context import ValidationContext
from aclf_pipeline.reports.validation_site.files import Delivered, delivered
from aclf_pipeline.reports.validation_site.judged import judged
from aclf_pipeline.reports.validation_site.site import pages_of
from aclf_pipeline.warehouse.analysis_tables import COHORT, read_analysis
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.ledger import finish_refresh

_POPULATIONS = f"select * from {EXPECTATIONS}"
_SIBLINGS = ("dictionary", "study")
_SELECTION = ("exclusion_combinations", "parameter_choices", "follow_up", "survival_findings")
_DATA_DOCS = "data_docs/index.html"


def finish_published(house: House, wh: Warehouse, refresh_id: str, release: str) -> Path:
    """Note in the ledger that this refresh was published and which rows it knew, and write its validation page."""
    finish_refresh(wh, refresh_id, datetime.now(UTC).replace(tzinfo=None), "published")
    remember_rows(wh)
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
    """Make the whole site anew and put it in place at once; gives the path of its overview."""
    folder = house.settings.reports
    headers = delivered_headers(house)
    frames: dict[str, Any] = ledger_frames(wh, house, refresh_id)
    columns = repaired_columns(frames["repairs"], headers) | rule_columns(house, headers)
    frames |= page_frames(house, columns, wh)
    context = ValidationContext(
        source=house.source.id,
        study=house.protocol.study.id,
        as_of=house.as_of,
        refresh_id=refresh_id,
        protocol_digest=house.protocol.digest,
        published=release is not None,
        release=release,
        synthetic=house.settings.is_synthetic,
        database=house.settings.warehouse.name,
        data_docs=_DATA_DOCS if (folder / _DATA_DOCS).is_file() else None,
        siblings=tuple(name for name in _SIBLINGS if (folder / f"{name}.html").is_file()),
        rules=rules_of(wh, house),
        expectations=populations,
        contracts=pl.DataFrame() if contracts is None else contracts,
        **frames,
    )
    words = corrections.Words(
        says=dict(context.rules.select("rule_id", "says").iter_rows()),
        fixes=dict(context.rules.select("rule_id", "fix").iter_rows()),
        columns=columns,
        headers=headers,
    )
    with renewed(folder, links.OWN) as new:
        write_pages(new, pages_of(context))
        write_downloads(new, _downloads(wh, context, words))
    return folder / links.OVERVIEW


def _downloads(wh: Warehouse, context: ValidationContext, words: corrections.Words) -> Iterator[Download]:
    """Rows to correct: of every file with findings as workbook and CSV, of every rule with findings as CSV."""
    for rule in judged(context):
        if rule.lines:
            yield links.rule_rows(rule.rule_id), partial(_rule_csv, wh, rule.rule_id, words)
    for file in delivered(context):
        if file.has_downloads:
            yield links.file_rows(file.key, "csv"), partial(_file_csv, wh, file, words)
            yield links.file_rows(file.key, "xlsx"), partial(_file_xlsx, wh, file, words, context)


def _rule_csv(wh: Warehouse, rule_id: str, words: corrections.Words, stream: BinaryIO) -> int:
    parts = (corrections.rows_to_correct(found, words) for found in lines_of_rule(wh, rule_id))
    return corrections.write_csv(stream, parts)


def _file_csv(wh: Warehouse, file: Delivered, words: corrections.Words, stream: BinaryIO) -> int:
    return corrections.write_csv(stream, _of_file(wh, file, words))


def _file_xlsx(
    wh: Warehouse, file: Delivered, words: corrections.Words, context: ValidationContext, stream: BinaryIO
) -> int:
    title = f"To correct in {file.path}{' (SYNTHETIC DATA)' if context.synthetic else ''}"
    return corrections.write_xlsx(stream, _of_file(wh, file, words), title, context.as_of)


def _of_file(wh: Warehouse, file: Delivered, words: corrections.Words) -> Iterator[pl.DataFrame]:
    """What the door found about a file, then its rows."""
    if file.corrections:
        yield corrections.problems_to_correct(pl.DataFrame(file.corrections, infer_schema_length=None))
    if file.file_id is not None and file.found:
        yield from (corrections.rows_to_correct(found, words) for found in lines_of_file(wh, file.file_id))


def write_dictionary(house: House, wh: Warehouse) -> Path:
    """The data dictionary, from contracts and protocol, with the codebook of the cohort where there is one."""
    absent = house.source.absent
    described = [dictionary.table_info(f"core.{kind}", contract, absent.get(kind)) for kind, contract in KINDS.items()]
    marts = MARTS[house.settings.study]
    described += [dictionary.table_info(f"marts.{name}", contract) for name, contract in marts.items()]
    page = dictionary.page(
        house.protocol,
        described,
        source=house.source.id,
        audits=house.audits,
        codebook=wh.frame(f"select * from {CODEBOOK} order by place") if CODEBOOK in wh.tables() else None,
        synthetic=house.settings.is_synthetic,
    )
    return _write(house, "dictionary.html", page)


def _selection_frames(wh: Warehouse) -> dict[str, pl.DataFrame]:
    """The tables on selection and time that there are, in the order their contracts give them."""
    there = wh.tables()
    return {name: wh.frame(f"select * from marts.{name}") for name in _SELECTION if f"marts.{name}" in there}


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
        sections=(
            *selection.sections(protocol.study, _selection_frames(wh)),
            *sections_of(house, wh),
            *self_check_sections(wh),
        ),
        stories=write_stories(house, wh),
        synthetic=house.settings.is_synthetic,
    )
    return _write(house, "study.html", study.page(context))


def released_study(house: House) -> Path:
    """The study page as a release holds it: a release has no page per candidate."""
    page = (house.settings.reports / "study.html").read_text("utf-8")
    return _write(house, "release/study.html", study.without_stories(page))


def _write(house: House, name: str, page: str) -> Path:
    return replace_page(house.settings.reports / name, page)
