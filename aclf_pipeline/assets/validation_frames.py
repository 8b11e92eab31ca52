"""What the validation site is made from, read from the ledger: counts and samples as frames, full lists as streams.

What does not belong here: how a page looks (reports) and where it is put (site).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.quality.repairs import CONFLICT
from aclf_pipeline.quality.verdicts import Asked, asked_by_contract
from aclf_pipeline.quality.worklist import worklist
from aclf_pipeline.reports.validation_site.context import RULES, rules_frame
from aclf_pipeline.reports.validation_site.corrections import MOST_CSV
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import pack

EXPECTATIONS = "quality.expectations"
_LAST_REFRESHES = 24

_CHECKS = """-- checks of one refresh with the rows that do not count: one row per rule
    select *, failing_rows - cast(round(share * rows) as bigint) as waived_rows
    from quality.checks where refresh_id = ?
"""
_SAMPLE = """-- examples of every rule: at most 25 rows per rule, each place once
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
_PLACES = """
    with places as (
        select rule_id, table_name, _row_id, row_raw(_row_id) as place, observed from quality.violations
        where _row_id >= 0
        union all
        select rule_id, raw_table, _row_id, _row_id, reason from quality.rejects
    )
"""
_IN_FILES = f"""-- examples of every rule in every file: at most 10 rows per file and rule
    {_PLACES},
    seen as (select distinct rule_id, row_file(place) as file_id, place, observed from places)
    select s.file_id, s.rule_id, s.observed, row_line(s.place) as line,
        case when row_sheet(s.place) > 0 then f.sheets[row_sheet(s.place)] end as sheet
    from seen as s
    inner join quality.files as f on f.file_id = s.file_id
    qualify row_number() over (partition by s.file_id, s.rule_id order by s.place, s.observed) <= 10
    order by s.file_id, s.rule_id, s.place, s.observed
"""
_BY_FILE = f"""-- failing rows and lines to correct: one row per rule and file
    {_PLACES}
    select p.rule_id, f.file_id, f.path as file, count(distinct p._row_id) as rows,
        count(distinct (p.place, p.observed)) as lines
    from places as p
    inner join quality.files as f on f.file_id = row_file(p.place)
    group by all order by all
"""
_BY_RULE = """-- patients concerned: one row per rule
    select rule_id, count(distinct patient_id) as patients from quality.violations group by rule_id order by rule_id
"""
_TOGETHER = """-- rows that break two rules: one row per pair, both ways
    with broken as (select distinct rule_id, table_name, _row_id from quality.violations where _row_id is not null)
    select one.rule_id, other.rule_id as other, count(*) as rows
    from broken as one
    inner join broken as other
        on one._row_id = other._row_id and one.table_name = other.table_name and one.rule_id <> other.rule_id
    group by all order by all
"""
_REFRESHES = f"""-- the last refreshes of a source: one row per refresh
    select refresh_id, started_at, protocol_digest, state from quality.refreshes
    where source = ? order by started_at desc limit {_LAST_REFRESHES}
"""
_HISTORY = """-- checks of the last refreshes: one row per refresh and rule
    select c.refresh_id, r.started_at, c.rule_id, c.category, c.failing_rows, c.passed
    from quality.checks as c
    inner join quality.refreshes as r on c.refresh_id = r.refresh_id
    where list_contains(?, c.refresh_id)
    order by r.started_at, c.rule_id
"""
_FINDINGS = """-- findings of one refresh against the one before: one row per rule and what became of them
    unpivot (
        select rule_id, new, persisting, resolved, reopened, rule_changed, backwards
        from quality.checks where refresh_id = ?
    ) on new, persisting, resolved, reopened, rule_changed, backwards into name state value rows
"""
_RELEASES = """-- rows that left quarantine: one row per table, rule and reason
    select table_name, rule_id, because, count(*) as rows from quality.quarantine_releases
    where refresh_id = ? group by all order by all
"""
_PROBLEMS = """-- what the door refused or remarked on: one row per problem
    select batch, path, line, rule_id, message, advice, action from quality.file_problems
    order by action <> 'block', batch, path, line, rule_id, message
"""
_BATCHES = """-- what was delivered: one row per batch
    select batch, seq, state, received_at, problems from quality.batches order by seq, batch
"""
_SUPERSEDED = """-- rows that a later version replaces: one row per table and reason
    select table_name, reason, count(*) as rows from quality.superseded group by all order by all
"""
_RECEIPTS = """-- repairs while reading: one row per kind of repair, table and column
    select rule_id, table_name, column_name, count(*) as rows from quality.receipts group by all order by all
"""
_QUARANTINE = """-- rows set aside: one row per table
    select table_name, count(*) as rows from quality.quarantine group by all order by all
"""
_REPAIRS = """-- cells put right: one row per rule, column and confidence
    select rule_id, table_name, column_name, confidence, count(*) as rows, count(distinct patient_id) as patients
    from quality.repairs group by all order by all
"""
_MISSING = """-- stays without a result: one row per analyte and year of admission
    with stays as (
        select stay_id, year(min(admitted_at)) as year from core.stays where admitted_at is not null group by stay_id
    ),
    years as (select year, count(*) as stays from stays group by year),
    results as (
        select distinct loinc, stay_id from core.labs
        where stay_id is not null and (value is not null or text_result is not null)
    ),
    measured as (
        select a.analyte, s.year, count(distinct s.stay_id) as stays
        from results as r
        inner join rules.analyte_loinc as a on r.loinc = a.loinc
        inner join stays as s on r.stay_id = s.stay_id
        group by a.analyte, s.year
    ),
    asked as (select distinct analyte from rules.baseline where analyte is not null)
    select a.analyte, a.says, y.year, y.stays, y.stays - coalesce(m.stays, 0) as without,
        a.analyte in (select analyte from asked) as asked
    from rules.analytes as a
    cross join years as y
    left join measured as m on m.analyte = a.analyte and m.year = y.year
    where a.analyte in (select analyte from measured) or a.analyte in (select analyte from asked)
    order by a.analyte, y.year
"""
_UNMAPPED = """-- words no mapping knows: one row per word, the most frequent of each sort
    with words as (
        select 'laboratory item' as what, source_code as code, source_name as name, count(*) as rows
        from staging.labs where loinc is null group by all
        union all
        select 'laboratory unit', null, unit_text, count(*)
        from staging.labs where unit_text is not null and unit is null group by all
        union all
        select 'diagnosis', code_text, label, count(*)
        from staging.diagnoses where code_text is not null and code is null group by all
    )
    select what, code, name, rows from words
    qualify row_number() over (partition by what order by rows desc, code, name) <= 50
    order by what desc, rows desc, code, name
"""
_CORRECT = f"""-- rows to correct: one row per place, rule and observation
    {_PLACES},
    wanted as (select distinct rule_id, table_name, place, observed from places where $which)
    select f.path as file, case when row_sheet(w.place) > 0 then f.sheets[row_sheet(w.place)] end as sheet,
        row_line(w.place) as line, w.rule_id, w.table_name, w.observed
    from wanted as w
    inner join quality.files as f on f.file_id = row_file(w.place)
    order by w.place, w.rule_id, w.observed
    limit {MOST_CSV}
"""


def ledger_frames(wh: Warehouse, house: House, refresh_id: str) -> dict[str, pl.DataFrame]:
    """The frames of one refresh by their names in `ValidationContext`; tables that are not there give none."""
    there = wh.tables()
    refreshes = wh.frame(_REFRESHES, [house.source.id])
    frames = {
        "checks": wh.frame(_CHECKS, [refresh_id]),
        "violations": wh.frame(_SAMPLE),
        "in_files": wh.frame(_IN_FILES),
        "by_file": wh.frame(_BY_FILE),
        "by_rule": wh.frame(_BY_RULE),
        "together": wh.frame(_TOGETHER),
        "files": wh.frame("select * from quality.files order by file_id"),
        "file_problems": wh.frame(_PROBLEMS),
        "batches": wh.frame(_BATCHES),
        "superseded": wh.frame(_SUPERSEDED),
        "receipts": wh.frame(_RECEIPTS),
        "quarantine": wh.frame(_QUARANTINE),
        "refreshes": refreshes,
        "history": wh.frame(_HISTORY, [refreshes["refresh_id"].to_list()]),
        "cases": _cases(wh, house),
        "repairs": wh.frame(_REPAIRS),
    }
    if "quality.quarantine_releases" in there:
        frames |= {"findings": wh.frame(_FINDINGS, [refresh_id]), "releases": wh.frame(_RELEASES, [refresh_id])}
    if {"core.labs", "core.stays", "rules.analytes"} <= there:
        frames["missing"] = wh.frame(_MISSING)
    if {"staging.labs", "staging.diagnoses"} <= there:
        frames["unmapped"] = wh.frame(_UNMAPPED)
    return frames


def _cases(wh: Warehouse, house: House) -> pl.DataFrame:
    """Every case with the stanza that decides it."""
    stanzas = pl.DataFrame(
        [(item.case, item.stanza) for item in worklist(wh, house.protocol, every=True)],
        schema={"case_id": pl.String, "stanza": pl.String},
        orient="row",
    )
    cases = wh.frame("select * from quality.cases order by question, patient_id")
    return cases.join(stanzas, on="case_id", how="left", maintain_order="left")


def rules_of(wh: Warehouse, house: House) -> pl.DataFrame:
    """Every rule the gate holds this source against: the protocol's, the contracts, and its own about repairs."""
    own = [asked_by_contract(contract) for contract in KINDS.values()]
    if met := wh.scalar("select mode(table_name) from quality.violations where rule_id = ?", [CONFLICT]):
        own.append(
            Asked(
                CONFLICT, met, "The repairs of a row agree with each other", "plausibility/atemporal", "quarantine",
                1.0,
                "Where two signals say two things about one cell, neither is carried out and the row is set aside",
                "Compare the row with the system it comes from; its own signals contradict each other",
                "Two rules that repair propose different values for one cell", CONFLICT,
            )
        )  # fmt: skip
    rows = [(a.rule_id, a.table, a.says, a.category, a.action, a.tolerate, a.because, a.fix, a.condition) for a in own]
    written = rules_frame(house.rules, house.audits)
    return pl.concat(
        [written, pl.DataFrame(rows, schema={name: written.schema[name] for name in RULES}, orient="row")],
        how="diagonal",
    )


def page_frames(house: House, columns: Mapping[str, str], wh: Warehouse) -> dict[str, pl.DataFrame]:
    """The frames that come from the protocol: questions, waivers, and the delivered columns of rules."""
    day = house.review_on(wh)
    questions = [
        {"question": q.id, "asks": q.asks, "because": q.because, "choices": [list(pair) for pair in q.choices.items()]}
        for q in house.protocol.questions.values()
    ]
    waivers = [w.model_dump() | {"valid": w.valid_on(day)} for w in house.protocol.waivers]
    return {
        "questions": pl.DataFrame(questions),
        "waivers": pl.DataFrame(waivers, infer_schema_length=None),
        "columns": pl.DataFrame([{"rule_id": rule, "columns": text} for rule, text in columns.items()]),
    }


def lines_of_file(wh: Warehouse, file_id: int) -> Iterator[pl.DataFrame]:
    """The rows to correct in one loaded file, streamed in its order."""
    low, high = pack(file_id, 0), pack(file_id + 1, 0)
    return wh.chunks(_CORRECT.replace("$which", f"place >= {low} and place < {high}"))


def lines_of_rule(wh: Warehouse, rule_id: str) -> Iterator[pl.DataFrame]:
    """The rows that break one rule, streamed in the order of files and lines."""
    return wh.chunks(_CORRECT.replace("$which", "rule_id = ?"), [rule_id])
