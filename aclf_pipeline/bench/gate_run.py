"""Every engine on every size, each in a process of its own that is stopped when it asks for too much.

What does not belong here: engines (`gate_child`), and drawing the table (`gate_table`).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal

from aclf_pipeline.bench.gate_data import BASE, fingerprint
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import did_you_mean

State = Literal["ok", "stopped", "failed", "not installed"]
WARM_ROWS = 20_000
_POLL_SECONDS = 0.1

# engine: what it is, packages besides the house's own, and how it tells which rows failed
ENGINES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "gate": ("our gate, as a refresh runs it", (), "written"),
    "floor": ("DuckDB SQL by hand", (), "written"),
    "pandera-polars": ("Pandera, lazy, on Polars", ("pandera", "polars"), "by position"),
    "dataframely": ("dataframely filter and failure info", ("dataframely",), "in memory"),
    "pointblank": ("pointblank on Polars, with extracts", ("pointblank",), "in memory"),
    "pandera-pandas": ("Pandera, lazy, on pandas", ("pandera", "pandas"), "by position"),
    "great-expectations": ("Great Expectations on pandas, COMPLETE", ("great-expectations",), "in memory"),
}


@dataclass(frozen=True)
class Limits:
    """What a child may take before it is stopped."""

    gigabytes: float = 12.0
    seconds: float = 1800.0


@dataclass(frozen=True)
class Run:
    """One engine on one size: medians over its repeats, the highest peak; `note` says why there is no figure."""

    engine: str
    rows: int
    state: State
    note: str = ""
    repeats: int = 0
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds_of_steps: dict[str, float] = field(default_factory=dict)
    failing_rows: dict[str, int] = field(default_factory=dict)
    keys: int | None = None

    @property
    def judged(self) -> tuple[float, float]:
        """Seconds until every failure is known by rule and row, by the clock and of the processors."""
        return self._without("record", "accept")

    @property
    def recorded(self) -> tuple[float, float]:
        """The same until violations and quarantine are written."""
        return self._without("accept")

    @property
    def whole(self) -> tuple[float, float]:
        """The same until the rows that are left are written too."""
        return self._without()

    def _without(self, *steps: str) -> tuple[float, float]:
        if self.wall_seconds is None or self.cpu_seconds is None:
            raise ValueError(f"{self.engine} has no figures")
        return (
            self.wall_seconds - sum(self.seconds.get(step, 0.0) for step in steps),
            self.cpu_seconds - sum(self.cpu_seconds_of_steps.get(step, 0.0) for step in steps),
        )


def sizes_of(text: str) -> list[int]:
    """Sizes as `1M,10M,200k`."""
    found, problems = [], []
    for word in text.split(","):
        number, factor = word.strip().upper(), 1
        if number.endswith(("K", "M")):
            number, factor = number[:-1], {"K": 1_000, "M": 1_000_000}[number[-1]]
        if number.isdigit() and int(number):
            found.append(int(number) * factor)
        else:
            problems.append(f"bench: --sizes has '{word}', which is no number of rows. Try 1M,10M or 200k.")
    if problems:
        raise UserError(problems)
    return found


def engines_of(text: str | None) -> list[str]:
    """Engines as `gate,floor`; all when nothing is said."""
    asked = list(ENGINES) if text is None else [word.strip() for word in text.split(",")]
    if unknown := [name for name in asked if name not in ENGINES]:
        raise UserError(
            [
                f"bench: there is no engine '{name}'; engines are {', '.join(ENGINES)}.{did_you_mean(name, ENGINES)}"
                for name in unknown
            ]
        )
    return asked


def bench_gate(
    sizes: Sequence[int],
    engines: Sequence[str],
    *,
    seed: int = 1,
    repeat: int = 1,
    limits: Limits = Limits(),
    data: Path | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> list[Run]:
    """Measure every engine on every size. Data lie in `data` and stay there, or in a folder that is removed."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        return list(_runs(sizes, engines, seed, repeat, limits, data, tick))
    with TemporaryDirectory(prefix="aclf-bench-") as folder:
        return list(_runs(sizes, engines, seed, repeat, limits, Path(folder), tick))


def _runs(
    sizes: Sequence[int],
    engines: Sequence[str],
    seed: int,
    repeat: int,
    limits: Limits,
    data: Path,
    tick: Callable[[str], None],
) -> Iterable[Run]:
    warm = _data(data, WARM_ROWS, seed, tick)
    for rows in sizes:
        folder = _data(data, rows, seed, tick)
        for name in engines:
            if missing := [package for package in ENGINES[name][1] if version_of(package) is None]:
                yield Run(name, rows, "not installed", f"pip install 'aclf_pipeline[bench]' ({', '.join(missing)})")
                continue
            tick(f"{name} on {rows:,} rows")
            yield _summary(name, rows, [_run(name, folder, warm, limits) for _ in range(repeat)])


def version_of(package: str) -> str | None:
    """The installed version of a package, if it is installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _data(root: Path, rows: int, seed: int, tick: Callable[[str], None]) -> Path:
    folder = root / f"{rows}-{seed}"
    done, drawn_as = folder / "done", fingerprint(rows, seed)
    if not done.is_file() or done.read_text("ascii") != drawn_as:
        tick(f"drawing {rows:,} rows")
        child = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "aclf_pipeline.bench.gate_child", "data", str(folder), str(rows), str(seed)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if child.returncode:
            told = last_line(child.stderr) or f"the process ended with code {child.returncode}"
            raise UserError(f"bench: {rows:,} rows could not be drawn: {told}")
        done.write_text(drawn_as, "ascii")
    return folder


def _run(name: str, folder: Path, warm: Path, limits: Limits) -> dict[str, Any]:
    """The report of one child, or why there is none."""
    for file in [folder / BASE, *folder.glob("*.parquet")]:
        into_cache(file)
    report = folder / f"{name}.json"
    report.unlink(missing_ok=True)
    arguments = ["aclf_pipeline.bench.gate_child", "run", name, *map(str, (folder, warm, report))]
    ended = watched(arguments, folder / f"{name}.err", limits)
    for left_over in folder.glob(f"{name}.duckdb*"):  # of a child that was stopped
        left_over.unlink()
    return ended or {"state": "ok", **json.loads(report.read_text("utf-8"))}


def watched(module: Sequence[str], said: Path, limits: Limits) -> dict[str, Any] | None:
    """Run a module with its arguments in a process of its own; None when it ended well, else its state and a note."""
    with said.open("wb") as errors:
        child = subprocess.Popen([sys.executable, "-m", *module], stdout=subprocess.DEVNULL, stderr=errors)  # noqa: S603
        stopped = watch(child, limits)
    told = last_line(said.read_text("utf-8", errors="replace"))
    said.unlink()
    if stopped:
        return {"state": "stopped", "note": stopped}
    if child.returncode:
        return {"state": "failed", "note": told or f"ended with code {child.returncode}"}
    return None


def into_cache(file: Path) -> None:
    """Read a file once, so that the next who reads it finds it in memory."""
    with file.open("rb") as opened:
        while opened.read(1 << 24):
            pass


def watch(child: subprocess.Popen[bytes], limits: Limits) -> str | None:
    """Wait for a child; when it goes beyond a limit, end it and say which."""
    started = time.monotonic()
    while child.poll() is None:
        time.sleep(_POLL_SECONDS)
        reason = None
        if _resident(child.pid) > limits.gigabytes * 1e9:
            reason = f"stopped above {limits.gigabytes:g} GB"
        elif time.monotonic() - started > limits.seconds:
            reason = f"stopped after {limits.seconds:g} s"
        if reason:
            child.kill()
            child.wait()
            return reason
    return None


def _resident(pid: int) -> int:
    """Bytes a process holds now; 0 where the system does not tell, so that only time limits it there."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _summary(name: str, rows: int, reports: Sequence[dict[str, Any]]) -> Run:
    good = [report for report in reports if report["state"] == "ok"]
    if len(good) < len(reports):
        bad = next(report for report in reports if report["state"] != "ok")
        return Run(name, rows, bad["state"], bad["note"])
    middle = sorted(good, key=lambda report: report["wall_seconds"])[(len(good) - 1) // 2]
    return Run(
        name,
        rows,
        "ok",
        repeats=len(good),
        wall_seconds=median(report["wall_seconds"] for report in good),
        cpu_seconds=median(report["cpu_seconds"] for report in good),
        peak_bytes=max(report["peak_bytes"] for report in good),
        **{key: middle[key] for key in ("seconds", "cpu_seconds_of_steps", "failing_rows", "keys")},
    )


def last_line(text: str) -> str:
    """The last line of what a process said that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _derived(run: Run) -> dict[str, tuple[float, float]]:
    return {} if run.state != "ok" else {"judged": run.judged, "recorded": run.recorded, "accepted": run.whole}


def as_json(runs: Sequence[Run], seed: int, limits: Limits) -> str:
    """Everything that was measured, and on what."""
    peers = sorted({package for _, packages, _ in ENGINES.values() for package in packages})
    return json.dumps(
        machine("pandas", *peers)
        | {
            "seed": seed,
            "limits": asdict(limits),
            "warm_rows": WARM_ROWS,
            "runs": [asdict(run) | _derived(run) for run in runs],
        },
        indent=2,
    )


def machine(*packages: str) -> dict[str, Any]:
    """What a measurement was made on."""
    return {
        "machine": {
            "cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
            "load_average": os.getloadavg(),
        },
        "versions": {package: version_of(package) for package in ("aclf_pipeline", "duckdb", "polars", *packages)},
    }  # fmt: skip
