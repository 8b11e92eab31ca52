"""One engine that harmonises laboratory rows and picks baselines, in a process of its own, for `harmonise_run`.

`house` runs the SQL of the house, step by step: raw text to typed rows in LOINC and UCUM (staging), the protocol's
analyte and unit (intermediate.labs), readings in each variable's window, and the one reading that is picked. `floor`
opens what it left and, for each step, only reads the columns the step asks for and only writes the bytes it wrote.
`polars` does the steps after staging by hand in Polars, from Parquet to Parquet.

What does not belong here: drawing rows (`harmonise_data`) and watching over memory (`harmonise_run`).
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from aclf_pipeline.bench.gate_child import peak_bytes
from aclf_pipeline.bench.harmonise_data import BASE, SOURCE, STUDY, write_data
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import Model, build, load_graph

END = "intermediate.baseline_facts"
RAW = "raw.his__lab_results"
DONE = "house.duckdb"
PARQUET = {
    "labs": "select _row_id, patient_id, specimen, loinc, collected_at, value, operator, unit, unit_text"
    " from core.labs",
    "persons": "select patient_id, person_id from intermediate.persons",
    "analytes": "select loinc, analyte from rules.analyte_loinc",
    "factors": "select analyte, unit, factor from rules.analyte_units",
    "anchors": "select candidate_id, person_id, reference_from, reference_to from intermediate.anchors",
    "baseline": "select variable, analyte, days_before, days_after from rules.baseline"
    " where source_table = 'labs' and pick = 'nearest' and variable = analyte",
    "flags": "select _row_id, bool_or(rule_id = 'labs_panel_not_copied') as is_copied from quality.violations"
    " where action = 'flag' and table_name = 'labs' group by _row_id",
}
"""What Polars reads, by file."""

Seconds = dict[str, float]


def house(folder: Path) -> dict[str, Any]:
    """The house's own SQL, on a copy of the drawn warehouse that is left for the floor."""
    path = folder / DONE
    shutil.copy(folder / BASE, path)
    seconds: Seconds = {}
    with _open(path) as wh, _whole(seconds):
        for model in steps():
            if model.schema == "intermediate" and "core.labs" not in wh.tables():
                # the gate copies accepted rows; the bench lets them all pass and counts no copy
                wh.execute("create view core.labs as select * from staging.labs")
            with _timed(seconds, model.table):
                build(wh, model)
    peak = peak_bytes()
    with _open(path) as wh:
        found = _digest(wh.frame(_ANSWERS))
        verdicts = dict(wh.rows("select verdict, count(*) from intermediate.labs group by verdict order by verdict"))
        for name, query in PARQUET.items():
            wh.execute(f"copy ({query}) to '{folder / name}.parquet' (format parquet, compression zstd)")
    return {"seconds": seconds, "verdicts": verdicts, "peak_bytes": peak, **found}


_ANSWERS = f"""-- laboratory baselines that are a number: one row per candidate and variable
    select candidate_id, variable, value, row_ids[1] as _row_id from {END} where variable in (
        select variable from rules.baseline where source_table = 'labs' and pick = 'nearest' and variable = analyte)
    and value is not null"""


def floor(folder: Path) -> dict[str, Any]:
    """Read the columns every step asks for, and write again what it wrote; nothing else."""
    seconds: Seconds = {}
    with _open(folder / DONE) as wh, _whole(seconds):
        made = [model for model in steps() if wh.scalar(f"select count(*) from {model.table}")]
        for model in made:
            with _timed(seconds, f"{model.table}:read"):
                for parent in model.parents:
                    _read(wh, parent, model.sql)
            with _timed(seconds, f"{model.table}:write"):
                wh.execute(f"create or replace table analysis.floor as select * from {model.table}")
    return {"seconds": seconds}


def _read(wh: Warehouse, table: str, sql: str) -> None:
    """Bring every column of a table that a query names into memory, once."""
    told = [
        f'sum(strlen("{name}"))' if kind == "VARCHAR" else f'max("{name}")'
        for name, kind in wh.columns(table)
        if name in sql
    ]
    if told:
        wh.rows(f"select {', '.join(told)} from {table}")


def by_polars(folder: Path) -> dict[str, Any]:
    """The same after staging by hand: what is a number or a limit in the analyte's unit, then the nearest in time."""
    seconds: Seconds = {}
    with _whole(seconds):
        read = {name: pl.scan_parquet(folder / f"{name}.parquet") for name in PARQUET}
        with _timed(seconds, "intermediate.labs"):
            _harmonised(read).sink_parquet(folder / "polars_labs.parquet")
        with _timed(seconds, END):
            picked = _picked(read, pl.scan_parquet(folder / "polars_labs.parquet")).collect(engine="streaming")
            picked.write_parquet(folder / "polars_baseline.parquet")
    verdicts = pl.read_parquet(folder / "polars_labs.parquet", columns=["verdict"])["verdict"].value_counts()
    return {"seconds": seconds, "verdicts": dict(sorted(verdicts.iter_rows())), **_digest(picked)}


def _harmonised(read: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
    unit = pl.when(pl.col("unit_text").is_null()).then(pl.col("unit").fill_null("1")).otherwise(pl.col("unit"))
    verdict = (
        pl.when(pl.col("analyte").is_null()).then(pl.lit("unmapped"))
        .when(pl.col("specimen").is_in(["urine", "ascites"])).then(pl.lit("other_specimen"))
        .when(pl.col("value").is_null()).then(pl.lit("text"))
        .when(pl.col("factor").is_null()).then(pl.lit("unknown_unit"))
        .when(pl.col("operator") != "=").then(pl.lit("censored"))
        .otherwise(pl.lit("used"))
    )  # fmt: skip
    return (
        read["labs"]
        .join(read["persons"], on="patient_id")
        .join(read["analytes"], on="loinc", how="left")
        .with_columns(unit_asked=unit)
        .join(read["factors"], left_on=["analyte", "unit_asked"], right_on=["analyte", "unit"], how="left")
        .with_columns(verdict=verdict)
        .with_columns(value=pl.col("value") * pl.col("factor"))
        .select("person_id", "analyte", "collected_at", "value", "operator", "verdict", "_row_id")
    )


def _picked(read: dict[str, pl.LazyFrame], labs: pl.LazyFrame) -> pl.LazyFrame:
    at, start, end = pl.col("collected_at"), pl.col("reference_from"), pl.col("reference_to")
    days = pl.duration(days=pl.col("days_before")), pl.duration(days=pl.col("days_after"))
    day, first = at.dt.truncate("1d"), start.dt.truncate("1d")
    return (
        labs.filter(pl.col("verdict").is_in(["used", "censored"]))
        .join(read["anchors"], on="person_id")
        .join(read["baseline"], on="analyte")
        .filter((at >= start - days[0]) & (at < end + days[1]) & pl.col("value").is_not_null())
        .join(read["flags"], on="_row_id", how="left")
        .with_columns(off=(day - first).dt.total_days().abs(), copied=pl.col("is_copied").fill_null(value=False))
        .sort("copied", "off", "collected_at", "_row_id")
        .group_by("candidate_id", "variable", maintain_order=True)
        .agg(pl.col("value", "_row_id").first())
        .select("candidate_id", "variable", "value", "_row_id")
    )


def steps() -> list[Model]:
    """The queries between the raw rows and the picked baseline, parents first; what they need besides is drawn."""
    models = {model.table: model for model in load_graph(Settings().sql, SOURCE, STUDY)}
    given = {"staging.patients", "intermediate.persons", "intermediate.anchors"}
    wanted = {END, "intermediate.labs", "staging.labs"}
    for name in reversed(models):
        if name in wanted:
            wanted |= {parent for parent in models[name].parents if parent in models and parent not in given}
    return [model for name, model in models.items() if name in wanted]


def _digest(frame: pl.DataFrame) -> dict[str, Any]:
    """What must be equal between engines: how many baselines, which rows they are, and the sum of their values."""
    return {"picked": frame.height, "rows_digest": int(frame["_row_id"].sum()), "sum": float(frame["value"].sum())}


def _open(path: Path) -> Warehouse:
    settings = Settings()
    return Warehouse.open(path, memory_limit=settings.memory_limit, threads=settings.threads)


@contextmanager
def _timed(seconds: Seconds, name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


@contextmanager
def _whole(seconds: Seconds) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    seconds |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


ENGINES: dict[str, Callable[[Path], dict[str, Any]]] = {"house": house, "floor": floor, "polars": by_polars}


def main(arguments: list[str]) -> None:
    """`data FOLDER ROWS SEED`, or `run ENGINE FOLDER REPORT`."""
    if arguments[0] == "data":
        write_data(Path(arguments[1]), int(arguments[2]), int(arguments[3]))
        return
    _, name, folder, report = arguments
    result = ENGINES[name](Path(folder))
    result.setdefault("peak_bytes", peak_bytes())
    Path(report).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
