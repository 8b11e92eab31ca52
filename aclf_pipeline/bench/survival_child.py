"""One engine, one task, one process: run by `survival_run` as `python -m aclf_pipeline.bench.survival_child`.

The process warms itself up on a few rows, then measures, and leaves its seconds in JSON and its coefficients beside.

What does not belong here: engines (`survival_engines`), our whole plan (`survival_plan`), watching (`survival_run`).
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

from aclf_pipeline.bench.gate_child import peak_bytes
from aclf_pipeline.bench.survival_data import Rows, read
from aclf_pipeline.bench.survival_engines import PYTHON

WARM_ROWS = 400
SHORT_SECONDS = 0.3


def measured(engine: str, task: str, rows: Rows, repeat: int, coefficients: Path) -> list[float]:
    """Seconds of each repeat; short work is done over and over until it can be measured."""
    few = replace(rows, days=rows.days[:WARM_ROWS], died=rows.died[:WARM_ROWS], design=rows.design[:WARM_ROWS])
    PYTHON[engine](few)[0]()
    work = PYTHON[engine](rows)[0 if task == "one" else 1]
    seconds = []
    for _ in range(repeat):
        started, done = time.perf_counter(), 0
        while True:
            found, done = work(), done + 1
            passed = time.perf_counter() - started
            if passed > SHORT_SECONDS or task == "many":
                break
        seconds.append(passed / done)
    found.tofile(coefficients)
    return seconds


def main(arguments: list[str]) -> None:
    """`run ENGINE one|many FOLDER REPEAT REPORT COEFFICIENTS`, or `plan WORKERS SEED REPORT`."""
    warnings.simplefilter("ignore")  # peers deprecate what they use themselves
    if arguments[0] == "plan":
        from aclf_pipeline.bench.survival_plan import plan

        report = Path(arguments[3])
        found: dict[str, object] = dict(plan(int(arguments[1]), int(arguments[2])))
    else:
        _, engine, task, folder, repeat, told, coefficients = arguments
        report = Path(told)
        found = {"seconds": measured(engine, task, read(Path(folder)), int(repeat), Path(coefficients))}
    report.write_text(json.dumps({**found, "peak_bytes": peak_bytes()}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
