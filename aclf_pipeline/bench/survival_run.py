"""Every survival engine on every task, each in a process of its own that is stopped when it asks for too much.

What does not belong here: engines (`survival_engines`), and drawing the table (`survival_table`).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aclf_pipeline.bench.gate_run import Limits, State, last_line, version_of, watch
from aclf_pipeline.bench.survival_data import draw, write
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import did_you_mean

SCRIPT = Path(__file__).with_name("survival_engines.R")
COVARIATES = 20
BOOTSTRAP = (446, 10, 1000)
OURS = "ours"
LIMITS = Limits(seconds=300.0)

# engine: what it is, and the package it needs besides the house's own
ENGINES: dict[str, tuple[str, str | None]] = {
    OURS: ("our kernel, NumPy alone", None),
    "lifelines": ("CoxPHFitter, its defaults", None),
    "scikit-survival": ("CoxPHSurvivalAnalysis, no standard errors", "scikit-survival"),
    "statsmodels": ("PHReg", "statsmodels"),
    "R": ("survival::coxph", None),
    "R core": ("survival::coxph.fit, the bare routine", None),
}
R_ENGINES = {"R": "coxph", "R core": "core"}


@dataclass(frozen=True)
class Measured:
    """One engine at one task: median seconds of its repeats; `note` says why there is no figure.

    difference: greatest absolute difference of a coefficient to ours; None for ours and where ours has none.
    """

    engine: str
    task: str
    state: State
    note: str = ""
    seconds: float | None = None
    repeats: tuple[float, ...] = ()
    difference: float | None = None
    peak_bytes: int | None = None
    told: dict[str, Any] = field(default_factory=dict)


def engines_of(text: str | None) -> list[str]:
    """Engines as `ours,lifelines,R`; all when nothing is said. Ours is always among them, to be compared with."""
    asked = list(ENGINES) if text is None else [word.strip() for word in text.split(",")]
    if unknown := [name for name in asked if name not in ENGINES]:
        raise UserError(
            [
                f"bench: there is no engine '{name}'; engines are {', '.join(ENGINES)}.{did_you_mean(name, ENGINES)}"
                for name in unknown
            ]
        )
    return [OURS, *(name for name in asked if name != OURS)]


def bench_survival(
    sizes: Sequence[int],
    engines: Sequence[str],
    *,
    seed: int = 1,
    repeat: int = 3,
    bootstrap: tuple[int, int, int] | None = BOOTSTRAP,
    plan_workers: int | None = 2,
    limits: Limits = LIMITS,
    tick: Callable[[str], None] = lambda _: None,
) -> list[Measured]:
    """Measure one fit at every size, many fits on resamples (people, covariates, draws), and our whole plan."""
    with TemporaryDirectory(prefix="aclf-bench-") as name:
        folder = Path(name)
        tasks = [(f"one fit, n = {n:,}", "one", (n, COVARIATES, 0), repeat if n < 100_000 else 1) for n in sizes]
        if bootstrap:
            tasks.append((f"{bootstrap[2]:,} fits, n = {bootstrap[0]:,}", "many", bootstrap, 1))
        found: list[Measured] = []
        for task, kind, drawn, times in tasks:
            tick(f"drawing {drawn[0]:,} people")
            place = folder / task.replace(" ", "-").replace(",", "")
            write(place, draw(*drawn, seed))
            found += _compared(_runs(task, kind, place, engines, times, limits, tick))
        if plan_workers:
            tick("the whole plan")
            found.append(_plan(folder, plan_workers, seed, limits))
        return found


def _runs(
    task: str, kind: str, place: Path, engines: Sequence[str], times: int, limits: Limits, tick: Callable[[str], None]
) -> Iterator[tuple[Measured, Any]]:
    """Each engine's figures and its coefficients."""
    for engine in engines:
        if why := absent(engine):
            yield Measured(engine, task, "not installed", why), None
            continue
        tick(f"{engine}: {task}")
        report, coefficients = place / f"{engine}.json", place / f"{engine}.f64"
        told = [str(place), str(times), str(report), str(coefficients)]
        if engine in R_ENGINES:
            command = [str(shutil.which("Rscript")), "--vanilla", str(SCRIPT), R_ENGINES[engine], kind, *told]
        else:
            command = [sys.executable, "-m", "aclf_pipeline.bench.survival_child", "run", engine, kind, *told]
        state, note, answer = _child(command, place / f"{engine}.err", report, limits)
        if answer is None:
            yield Measured(engine, task, state, note), None
            continue
        seconds = tuple(answer.pop("seconds"))
        peak = answer.pop("peak_bytes", None)
        yield (
            Measured(engine, task, "ok", "", median(seconds), seconds, None, peak, answer),
            np.fromfile(coefficients),
        )


def _compared(runs: Iterator[tuple[Measured, Any]]) -> Iterator[Measured]:
    """Say how far each engine's coefficients are from ours, which come first."""
    reference = None
    for run, coefficients in runs:
        if run.engine == OURS:
            reference = coefficients
            yield run
        elif coefficients is None or reference is None:
            yield run
        elif coefficients.shape != reference.shape:
            yield Measured(run.engine, run.task, "failed", f"{len(coefficients)} coefficients, not {len(reference)}")
        else:
            away = float(np.nanmax(np.abs(coefficients - reference)))
            yield Measured(**{**run.__dict__, "difference": away})


def _plan(folder: Path, workers: int, seed: int, limits: Limits) -> Measured:
    report, task = folder / "plan.json", "whole plan"
    command = [sys.executable, "-m", "aclf_pipeline.bench.survival_child", "plan", str(workers), str(seed), str(report)]
    state, note, answer = _child(command, folder / "plan.err", report, limits)
    if answer is None:
        return Measured(OURS, task, state, note)
    (seconds,) = answer.pop("seconds")
    return Measured(OURS, task, "ok", "", seconds, (seconds,), None, answer.pop("peak_bytes"), answer)


def _child(
    command: Sequence[str], said: Path, report: Path, limits: Limits
) -> tuple[State, str, dict[str, Any] | None]:
    """Run a process on one thread of linear algebra; return its report, or why there is none."""
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMEXPR")}
    with said.open("wb") as errors:
        child = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=errors, env={**os.environ, **one_thread}
        )
        stopped = watch(child, limits)
    if stopped:
        return "stopped", stopped, None
    if child.returncode:
        told = last_line(said.read_text("utf-8", errors="replace"))
        return "failed", told or f"ended with code {child.returncode}", None
    return "ok", "", json.loads(report.read_text("utf-8"))


def absent(engine: str) -> str | None:
    """Say why an engine cannot run here, if so."""
    package = ENGINES[engine][1]
    if package is not None and version_of(package) is None:
        return f"pip install 'aclf_pipeline[bench]' ({package})"
    if engine not in R_ENGINES:
        return None
    found = shutil.which("Rscript")
    if found is None:
        return "there is no Rscript on the path"
    asked = [found, "--vanilla", "-e", "quit(status = !requireNamespace('survival', quietly = TRUE))"]
    known = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603
    return "R has no package survival" if known.returncode else None


def as_json(runs: Sequence[Measured], seed: int, limits: Limits) -> str:
    """Everything that was measured, and on what."""
    packages = ["aclf_pipeline", "lifelines", "numpy", "scipy", *(p for _, p in ENGINES.values() if p)]
    machine = {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }
    return json.dumps(
        {
            "machine": machine,
            "versions": {package: version_of(package) for package in packages},
            "seed": seed,
            "limits": asdict(limits),
            "runs": [asdict(run) for run in runs],
        },
        indent=1,
    )
