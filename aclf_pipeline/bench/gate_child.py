"""One engine, one data set, one process: run by `gate_run` as `python -m aclf_pipeline.bench.gate_child`.

The process warms itself up on a small data set, then measures once, and leaves a report in JSON. Engines that write
work on a copy of the warehouse, made before the clock starts.

What does not belong here: what an engine does (`gate_floor`, `gate_polars`, `gate_pandas`, quality) and watching over
its memory (`gate_run`).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from aclf_pipeline.bench import gate_pandas, gate_polars
from aclf_pipeline.bench.gate_data import BASE, write_data
from aclf_pipeline.bench.gate_floor import run_floor
from aclf_pipeline.bench.gate_polars import Outcome
from aclf_pipeline.bench.gate_rules import AUDITS, RULE_IDS, bench_protocol
from aclf_pipeline.errors import UserError
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse


def gate(path: Path) -> Outcome:
    """Our gate as a refresh runs it, on the tables that the bench's rules read."""
    with _open(path) as wh:
        report = run_gate(wh, bench_protocol(), AUDITS, "bench", ["patients", "labs"])
        if report.blocked:
            broken = [check.rule_id for check in report.checks if check.blocking and not check.passed]
            raise UserError(f"bench: the drawn rows break {', '.join(broken)}; gate_data must follow the contracts")
        return _written(wh, report.seconds, report.cpu_seconds)


def floor(path: Path) -> Outcome:
    """The same by hand."""
    with _open(path) as wh:
        return _written(wh, *run_floor(wh))


def _open(path: Path) -> Warehouse:
    settings = Settings()
    return Warehouse.open(path, memory_limit=settings.memory_limit, threads=settings.threads)


def _written(wh: Warehouse, seconds: Mapping[str, float], cpu_seconds: Mapping[str, float]) -> Outcome:
    counted = wh.rows("select rule_id, count(distinct _row_id) from quality.violations group by rule_id")
    keys = wh.scalar("select count(*) from (select distinct rule_id, _row_id from quality.violations)")
    return Outcome(dict(counted), keys, seconds, cpu_seconds)


ENGINES: dict[str, Callable[[Path], Outcome]] = {
    "gate": gate,
    "floor": floor,
    "pandera-polars": gate_polars.pandera_polars,
    "dataframely": gate_polars.dataframely,
    "pointblank": gate_polars.pointblank,
    "pandera-pandas": gate_pandas.pandera_pandas,
    "great-expectations": gate_pandas.great_expectations,
}


WRITES = ("gate", "floor")
"""Engines that write to a warehouse; the others read Parquet and store nothing."""


def measured(name: str, folder: Path) -> dict[str, object]:
    """Run an engine on the data of a folder; wall and CPU seconds are of the run alone, without start and copy."""
    engine, where = ENGINES[name], folder
    if name in WRITES:
        where = folder / f"{name}.duckdb"
        shutil.copy(folder / BASE, where)
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        outcome = engine(where)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        if where != folder:
            where.unlink(missing_ok=True)
    counts = {rule: outcome.counts.get(rule, 0) for rule in RULE_IDS}
    return {
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "seconds": dict(outcome.seconds),
        "cpu_seconds_of_steps": dict(outcome.cpu_seconds),
        "failing_rows": counts,
        "keys": outcome.keys,
    }


def main(arguments: list[str]) -> None:
    """`data FOLDER ROWS SEED`, or `run ENGINE FOLDER WARM_FOLDER REPORT`."""
    warnings.simplefilter("ignore")  # peers deprecate what they use themselves
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    if arguments[0] == "data":
        write_data(Path(arguments[1]), int(arguments[2]), int(arguments[3]))
        return
    _, name, folder, warm, report = arguments
    measured(name, Path(warm))
    result = measured(name, Path(folder))
    result["peak_bytes"] = peak_bytes()
    Path(report).write_text(json.dumps(result), encoding="utf-8")


def peak_bytes() -> int:
    """The most memory this process has held, in bytes; where the kernel tells only of its parents too, that."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(sys.argv[1:])
