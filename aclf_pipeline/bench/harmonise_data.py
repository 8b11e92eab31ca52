"""Laboratory rows as the hospital's laboratory exports them, any number of them, for the bench of harmonising.

The items, their units and the spellings of the units are those of the source's own mapping files, the numbers lie
within the limits of the protocol. Rows are drawn by hashes of their number and the seed inside the database. One result
in fifty stands in another unit that its analyte accepts; some carry arrows, a limit or a word for a number. Fifty
persons lie in hospital at a time, each for twenty-five tubes of twenty items, and have one reference day in that stay.

What does not belong here: the steps that are measured (`harmonise_child`) and running them (`harmonise_run`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from aclf_pipeline.contracts import KINDS, empty_frame
from aclf_pipeline.protocol import Protocol, load_protocol
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import load_mappings
from aclf_pipeline.warehouse.ledger_tables import DDL
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline.warehouse.sources import load_source

SOURCE, STUDY, FORM = "his", "nct07198854", "lab_results"
ITEMS, TUBES, BEDS, FILE = 20, 25, 50, 1
YEARS_IN_HOURS = 8 * 365 * 24
HOURS_BETWEEN = 26
BASE = "base.duckdb"

CODES = (
    "TBIL", "DBIL", "ALT", "AST", "ALP", "GGT", "TP", "ALB", "CREA", "UREA", "K", "NA", "CL", "CA", "WBC", "NEU#",
    "LYM#", "HGB", "PLT", "INR",
)  # fmt: skip
"""The twenty items of a tube, by the source's codes."""


def write_data(folder: Path, rows: int, seed: int) -> None:
    """A warehouse in `folder` with raw laboratory rows, persons, reference days and the protocol; nothing staged."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BASE).unlink(missing_ok=True)
    settings = Settings(source=SOURCE, study=STUDY)
    protocol = load_protocol(settings.protocol, STUDY)
    stored = load_source(settings.sql / "staging" / SOURCE).files[FORM].stored
    with Warehouse.open(folder / BASE, memory_limit=settings.memory_limit, threads=settings.threads) as wh:
        load_rules(wh, protocol)
        load_mappings(wh, settings.sql, SOURCE)
        wh.write("mapping.bench_items", _items(wh, protocol))
        wh.execute(
            """insert into quality.files by name select 1 as file_id, 'his' as source, '20191115_full' as batch,
            1 as batch_seq, 'b/labs.csv' as path, 'labs.csv' as name, 'lab_results' as kind,
            'raw.his__lab_results' as raw_table, 'csv' as form, '' as sha256, 0 as bytes, 21 as columns, 0 as rows,
            false as is_snapshot, 'loaded' as state, timestamp '2020-01-01' as loaded_at"""
        )
        for table, query in _tables(rows, seed, stored).items():
            wh.execute(f"create or replace table {table} as\n{query}")
        for statement in _ledger(seed):
            wh.execute(statement)
        wh.write("staging.patients", empty_frame(KINDS["patients"]))
        for kind in KINDS.keys() - {"labs"}:
            wh.write(f"core.{kind}", empty_frame(KINDS[kind]))
        wh.execute("drop table mapping.bench_items")
        wh.execute("checkpoint")


def fingerprint(rows: int, seed: int) -> str:
    """What the data depend on; data drawn under another are drawn anew."""
    asked = [*_tables(rows, seed, ()).values(), *_ledger(seed), str(CODES), load_protocol_digest(), *DDL]
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()


def load_protocol_digest() -> str:
    """The digest of the protocol whose limits and units the rows follow."""
    return load_protocol(Settings().protocol, STUDY).digest


def _items(wh: Warehouse, protocol: Protocol) -> pl.DataFrame:
    """item, code, name, spellings of its unit and of another one, and the numbers that are usual in either."""
    spellings = dict(wh.rows("select unit, list(unit_text order by unit_text) from mapping.units group by unit"))
    codes = wh.frame(
        "select code, name, coalesce(unit, '1') as unit, analyte, valid_to from mapping.lab_codes"
        " where specimen = 'blood' and analyte is not null and unit_meant is null"
    ).to_dicts()
    rows = [row for place, code in enumerate(CODES) for row in _item(place, code, codes, protocol, spellings)]
    return pl.DataFrame(rows, infer_schema_length=None)


def _item(
    place: int, code: str, codes: list[dict[str, str]], protocol: Protocol, spellings: Mapping[str, list[str]]
) -> Iterator[dict[str, object]]:
    now = [row for row in codes if row["code"] == code and not row["valid_to"]]
    analyte = protocol.analytes[now[0]["analyte"]]
    usual = next(row for row in now if row["unit"] == analyte.unit)
    other = next((row for row in now if row["unit"] != analyte.unit and row["unit"] in analyte.factors), usual)
    low, high = analyte.hard_limits or (0.0, 100.0)
    found: dict[str, object] = {"item": place, "code": code, "name": usual["name"]}
    for which, unit in (("usual", usual["unit"]), ("other", other["unit"])):
        factor = analyte.factors[unit]
        found |= {f"{which}_units": spellings.get(unit, [""]), f"{which}_low": low / factor}
        found |= {f"{which}_high": low / factor + 0.3 * (high - low) / factor}
    yield found


def _tubes(rows: int, seed: int) -> str:
    """Tubes in the order of time, as a laboratory numbers them, of the persons who lie in its beds."""
    count = -(-rows // ITEMS)
    stays = count // (BEDS * TUBES) + 1
    return f"""tubes as (
        select
            tube,
            tube // {BEDS * TUBES} as turn,
            turn * {BEDS} + tube % {BEDS} as person,
            'R' || printf('%016x', hash(person, {seed}) >> 1) as patient_id,
            timestamp '2010-01-01' + to_hours(({YEARS_IN_HOURS} * turn // {stays})::bigint)
                + to_hours(((tube // {BEDS}) % {TUBES} * {HOURS_BETWEEN})::bigint) as taken_at,
        from range({count}) as drawn(tube)
    )"""


def _tables(rows: int, seed: int, stored: tuple[str, ...]) -> dict[str, str]:
    return {
        "raw.his__lab_results": _raw_sql(rows, seed, stored),
        "intermediate.persons": f"""-- one row per record number
            with {_tubes(rows, seed)}
            select distinct patient_id, patient_id as person_id, null::varchar as national_id, null::varchar as sex,
                null::date as birth_month from tubes""",
        "intermediate.anchors": f"""-- one row per candidate
            with {_tubes(rows, seed)}
            select patient_id || '-1' as candidate_id, patient_id as person_id, candidate_id as episode_id,
                arg_min(taken_at, hash(tube, {seed}, 'index')) as index_at,
                index_at + interval 20 day as index_end_at, index_at::date as index_on,
                index_end_at::date as index_end_on, 0::bigint as infusions, 0::bigint as infusions_in_course,
                null::date as first_infusion_on, index_on as time_zero, 'time zero' as reference_name,
                index_on::timestamp as reference_from, reference_from + interval 1 day as reference_to
            from tubes group by patient_id""",
    }


def _raw_sql(rows: int, seed: int, stored: tuple[str, ...]) -> str:
    made = {
        "申请号": "'JY' || printf('%010d', tube)", "标本号": "printf('%012d', tube)", "病案号": "patient_id",
        "住院次数": "'1'", "性别": "if(person % 3 = 0, '女', '男')", "年龄": "(20 + person % 60) || '岁'",
        "科室": "'感染科一区'", "标本类型": "'血清'", "采集时间": "strftime(taken_at, '%Y-%m-%d %H:%M:%S')",
        "接收时间": "strftime(taken_at + interval 40 minute, '%Y-%m-%d %H:%M:%S')",
        "报告时间": "strftime(taken_at + to_minutes(60 + (h % 300)::bigint), '%Y-%m-%d %H:%M:%S')",
        "报告状态": "'正式'", "项目代码": "code", "项目名称": "name", "结果": "text", "单位": "unit_text",
        "参考范围": "low::integer || '-' || high::integer", "仪器": "'analyser ' || tube % 6",
    }  # fmt: skip
    blank = "''"
    columns = ", ".join(f'{made.get(name, blank)} as "{name}"' for name in stored)
    return f"""-- one row per laboratory item and report
    with {_tubes(rows, seed)},
    numbered as (
        select *, tube * {ITEMS} + item as i, hash(i, {seed}) as h, hash(i, {seed}, 'unit') % 50 = 0 as is_other
        from (select *, unnest(range({ITEMS})) as item from tubes) where i < {rows}
    ),
    drawn as (
        select n.*, code, name, if(is_other, other_low, usual_low) as low, if(is_other, other_high, usual_high) as high,
            if(is_other, other_units, usual_units) as units, units[1 + (tube % len(units))::integer] as unit_text,
            low + (high - low) * ((h % 9973) / 9973) as number,
        from numbered as n join mapping.bench_items as items on n.item = items.item
    ),
    told as (
        select *,
            case when number >= 100 then round(number)::bigint::varchar
                when number >= 10 then printf('%.1f', number) else printf('%.2f', number) end as plain,
            case when h % 1009 = 0 then '溶血' when h % 211 = 0 then '<' || plain
                when h % 41 = 0 then plain || '↑' else plain end as text,
        from drawn
    )
    select ((({FILE}::bigint * 64) << 32) + i + 2) * 256 as _row_id, {columns or "*"} from told"""


def _ledger(seed: int) -> Iterator[str]:
    """Flags and repairs, so that the joins on the ledger have something to meet: one row in 250, one in 1000."""
    flagged = "case when h % 3 = 0 then 'labs_panel_not_copied' else 'labs_bench_flag' end"
    yield f"""insert into quality.violations by name
        select 'bench' as refresh_id, 'labs' as table_name, {flagged} as rule_id, '' as rule_fingerprint, _row_id,
            病案号 as patient_id, 'flag' as action, '' as observed, '' as protocol_digest
        from (select _row_id, 病案号, hash(_row_id, {seed}, 'flag') as h from raw.his__lab_results)
        where h % 250 = 0"""
    yield f"""insert into quality.repairs by name
        select 'bench' as refresh_id, 'labs' as table_name, 'labs_bench_repair' as rule_id, '' as rule_fingerprint,
            _row_id, 病案号 as patient_id, 'unit' as column_name, 'mg/dL' as was, 'umol/L' as became,
            '' as observed, 'the printed range, the last result' as evidence, 'strong' as confidence,
            '' as protocol_digest
        from raw.his__lab_results where hash(_row_id, {seed}, 'repair') % 1000 = 0"""
