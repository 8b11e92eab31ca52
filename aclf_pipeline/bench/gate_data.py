"""Laboratory rows for the gate's bench: any number of them, one in a hundred with a defect, the same for every engine.

Rows are drawn by hashes of their number and the seed inside the database, so that fifty million need no more memory
than one. They lie in the order of time, as a laboratory exports them: a tube has twenty items, two tubes of a patient
follow each other, then comes another patient; a patient has some twenty-five tubes in twelve years. Each defect of
`DEFECTS` is as frequent as any other.

What does not belong here: the rules (`gate_rules`) and running anything (`gate_child`, `gate_run`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from aclf_pipeline.contracts import KINDS, empty_frame
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.ledger_tables import DDL

ITEMS, TUBES, FILE = 20, 25, 1
ONE_IN = 100
BASE = "base.duckdb"
MINUTES = 12 * 365 * 24 * 60

DEFECTS = (
    "not_mapped", "not_a_number", "unit", "code", "age", "times", "request", "no_number", "date", "specimen",
    "limits", "key", "patient", "twice", "birth",
)  # fmt: skip
"""What may be wrong with a row, by name; `times` for example puts the report before the specimen."""

# code, name, LOINC, unit, lowest and highest number that is still a measurement; for speed only, no clinical statement
ANALYTES = pl.DataFrame(
    [
        ("TBIL", "总胆红素", "14631-6", "umol/L", 1.0, 1000.0), ("DBIL", "直接胆红素", "14629-0", "umol/L", 0.5, 800.0),
        ("ALT", "谷丙转氨酶", "1742-6", "U/L", 1.0, 10000.0), ("AST", "谷草转氨酶", "1920-8", "U/L", 1.0, 10000.0),
        ("ALP", "碱性磷酸酶", "6768-6", "U/L", 5.0, 3000.0), ("GGT", "谷氨酰转肽酶", "2324-2", "U/L", 1.0, 3000.0),
        ("ALB", "白蛋白", "1751-7", "g/L", 5.0, 70.0), ("TP", "总蛋白", "2885-2", "g/L", 20.0, 120.0),
        ("CREA", "肌酐", "14682-9", "umol/L", 10.0, 2500.0), ("UREA", "尿素", "22664-7", "mmol/L", 0.3, 80.0),
        ("NA", "钠", "2951-2", "mmol/L", 90.0, 190.0), ("K", "钾", "2823-3", "mmol/L", 1.0, 10.0),
        ("CL", "氯", "2075-0", "mmol/L", 50.0, 160.0), ("CA", "钙", "2000-8", "mmol/L", 0.5, 4.5),
        ("WBC", "白细胞", "6690-2", "10*9/L", 0.1, 150.0), ("HGB", "血红蛋白", "718-7", "g/L", 15.0, 230.0),
        ("PLT", "血小板", "777-3", "10*9/L", 1.0, 1500.0), ("INR", "国际标准化比值", "6301-6", "1", 0.5, 20.0),
        ("PT", "凝血酶原时间", "5902-2", "s", 6.0, 180.0), ("NH3", "血氨", "22763-7", "umol/L", 2.0, 700.0),
    ],
    schema=["code", "name", "loinc", "unit", "low", "high"],
    orient="row",
).with_row_index("item")  # fmt: skip

PEER_COLUMNS = (
    "_row_id", "patient_id", "loinc", "source_code", "value_text", "operator", "value", "unit", "specimen",
    "age_years_stated", "collected_at", "reported_at", "request_id", "specimen_id",
)  # fmt: skip
"""The columns the rules name; peers read no other."""


def write_data(folder: Path, rows: int, seed: int) -> None:
    """Everything the engines read: a warehouse, and what peers read of it as Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BASE).unlink(missing_ok=True)
    write_warehouse(folder / BASE, rows, seed)
    write_parquet(folder / BASE, folder)


def write_warehouse(path: Path, rows: int, seed: int) -> None:
    """A warehouse with `staging.labs`, `staging.patients` and `rules.limits` and nothing else staged."""
    with Warehouse.open(path) as wh:
        wh.write("rules.limits", ANALYTES)
        wh.execute(
            """insert into quality.files by name select 1 as file_id, 'bench' as source, 'b1' as batch, 1 as batch_seq,
            'b1/labs.csv' as path, 'labs.csv' as name, 'lab_results' as kind, 'raw.bench__labs' as raw_table,
            'csv' as form, '' as sha256, 0 as bytes, 25 as columns, 0 as rows, false as is_snapshot,
            'loaded' as state, timestamp '2020-01-01' as loaded_at"""
        )
        for kind, query in (("patients", _patients_sql(rows, seed)), ("labs", _labs_sql(rows, seed))):
            wh.write(f"staging.{kind}", empty_frame(KINDS[kind]))
            wh.execute(f"insert into staging.{kind} by name\n{query}")


def write_parquet(path: Path, folder: Path) -> None:
    """What peers read: `labs.parquet` and `patients.parquet`, and the limits, out of a warehouse."""
    with Warehouse.open(path) as wh:
        for name, query in {
            "labs": f"select {', '.join(PEER_COLUMNS)} from staging.labs",
            "patients": "select patient_id, birth_month from staging.patients",
            "limits": "select loinc, low, high from rules.limits",
        }.items():
            wh.execute(f"copy ({query}) to '{folder / name}.parquet' (format parquet, compression zstd)")


def fingerprint(rows: int, seed: int) -> str:
    """What the data depend on; data drawn under another are drawn anew."""
    shapes = [str(empty_frame(KINDS[kind]).schema) for kind in ("labs", "patients")]
    asked = [*shapes, _labs_sql(rows, seed), _patients_sql(rows, seed), str(ANALYTES.rows()), *DDL]
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()


def _persons(rows: int) -> int:
    return rows // (ITEMS * TUBES) + 1


def _patient(number: str, seed: int) -> str:
    return f"'R' || printf('%016x', hash({number}, {seed}) >> 1)"


def _patients_sql(rows: int, seed: int) -> str:
    return f"""-- persons: one row per front page
    select
        ((({FILE + 1}::bigint * 64) << 32) + p + 2) * 256 as _row_id,
        {_patient("p", seed)} as patient_id,
        patient_id as person_id,
        patient_id || '-1' as stay_id,
        if(hash(p, {seed}, 'sex') % 3 = 0, 'female', 'male') as sex,
        (date '1940-01-01' + to_months((hash(p, {seed}, 'birth') % 600)::integer))::date as birth_month,
    from range({_persons(rows)}) as persons(p)"""


def _wrong(defect: str) -> str:
    return f"fault = {DEFECTS.index(defect)}"


def _labs_sql(rows: int, seed: int) -> str:
    return f"""-- laboratory results, one in a hundred with a defect: one row per result
    with {_drawn_sql(rows, seed)},

    {_told_sql(seed)}"""


def _drawn_sql(rows: int, seed: int) -> str:
    """Tubes, then their items, what is wrong with each, and the analyte it is: common table expressions."""

    def taken_at(tube: str) -> str:
        pair = f"({MINUTES} * ({tube} // 2) // {rows // ITEMS // 2 + 1})::bigint"
        return f"timestamp '2008-01-01' + to_minutes({pair}) + to_hours(({tube} % 2)::bigint)"

    return f"""tubes as (
        select
            tube,
            xor(tube, 1) as other_tube,
            hash(tube // 2, {seed}, 'whose') % {_persons(rows)} as person,
            {_patient("person", seed)} as patient,
            'T' || printf('%09d', tube) as specimen_id,
            {taken_at("tube")} as taken_at,
            {taken_at("other_tube")} as other_taken_at,
            'analyser ' || (hash(tube, {seed}, 'a') % 6) as instrument,
            20 + hash(person, {seed}, 'age') % 60 as age,
        from range({-(-rows // ITEMS)}) as drawn(tube)
    ),

    numbered as (
        select *, tube * {ITEMS} + own_item as i
        from (select *, unnest(range({ITEMS})) as own_item from tubes)
        where i < {rows}
    ),

    spoilt as (
        select
            *,
            if(hash(i, {seed}, 'is') % {ONE_IN} = 0, hash(i, {seed}, 'which') % {len(DEFECTS)}, null) as fault,
            -- a key that stands twice has the LOINC of its neighbour; what stands twice, the patient's other tube
            if({_wrong("key")}, xor(own_item, 1), own_item) as item,
            hash(if({_wrong("twice")}, other_tube, tube), own_item, {seed}) as h,
        from numbered
    ),

    drawn as (
        select n.*, o.code, o.name, a.loinc, a.unit, a.low, a.high
        from spoilt as n
        join rules.limits as a on a.item = n.item
        join rules.limits as o on o.item = n.own_item
    )"""


def _told_sql(seed: int) -> str:
    """What the laboratory told: the last common table expression, and the columns of the contract."""
    return f"""told as (
        select
            *,
            if({_wrong("patient")}, 'X' || patient, patient) as patient_id,
            case
                when {_wrong("date")} then timestamp '1900-01-01'
                when {_wrong("birth")} then timestamp '1925-06-01' + to_hours(tube % 9000)
                when {_wrong("twice")} then other_taken_at
                else taken_at
            end as collected_at,
            case when {_wrong("limits")} then 1000 else 1 end
                * round(low + (high - low) * (0.05 + 0.4 * ((h % 10000) / 10000)), 2) as number,
            hash(i, {seed}, 'low') % 200 = 0 or {_wrong("no_number")} as is_censored,
        from drawn
    )

    select
        ((({FILE}::bigint * 64) << 32) + i + 2) * 256 as _row_id,
        patient_id,
        patient_id || '-1' as stay_id,
        if({_wrong("request")}, 'T000000000', specimen_id) as request_id,
        specimen_id,
        if({_wrong("specimen")}, 'urine', 'serum') as specimen,
        collected_at,
        collected_at + to_minutes(40) as received_at,
        collected_at + to_minutes(if({_wrong("times")}, -180, 60 + (h % 300)::bigint)) as reported_at,
        'final' as report_status,
        if({_wrong("code")}, lower(code) || ' ', code) as source_code,
        name as source_name,
        if({_wrong("not_mapped")}, null, loinc) as loinc,
        if({_wrong("not_a_number")}, '溶血', if(is_censored, '<', '') || number) as value_text,
        if(is_censored, '<', '=') as operator,
        if({_wrong("not_a_number")} or {_wrong("no_number")}, null, number) as value,
        if({_wrong("not_a_number")}, 'specimen_problem', null) as text_result,
        unit as unit_text,
        if({_wrong("unit")}, 'mg/dL', unit) as unit,
        low || '-' || high as ref_text,
        instrument,
        if({_wrong("age")}, 999, age)::double as age_years_stated,
    from told"""
