"""The house, its floor and Polars by hand on the same laboratory rows, side by side, and what follows as a table.

What does not belong here: the steps themselves (`harmonise_child`) and drawing rows (`harmonise_data`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table

from aclf_pipeline.bench.gate_run import Limits, into_cache, machine, watched
from aclf_pipeline.bench.harmonise_child import ENGINES
from aclf_pipeline.bench.harmonise_data import BASE, fingerprint
from aclf_pipeline.errors import UserError

MODULE = "aclf_pipeline.bench.harmonise_child"
COMPARED = ("verdicts", "picked", "rows_digest")
"""What of an engine's answers must be equal to the house's, besides the sum of values to the ninth digit."""


@dataclass(frozen=True)
class Harmonised:
    """One size: the reports of the engines by name; one without `seconds` has a state and a note instead."""

    rows: int
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def house(self) -> dict[str, float]:
        """Seconds of every step of the house."""
        return dict(self.reports["house"].get("seconds", {}))

    def floor_of(self, step: str) -> float:
        """Seconds that reading and writing the bytes of a step take alone."""
        seconds = self.reports.get("floor", {}).get("seconds", {})
        return float(sum(seconds.get(f"{step}:{part}", 0.0) for part in ("read", "write")))

    @property
    def steps(self) -> list[str]:
        """The steps of the house, in order."""
        return [name for name in self.house if "." in name]

    @property
    def problems(self) -> list[str]:
        """Engines that did not finish, and answers that are not those of the house."""
        failed = [f"{name}: {r['state']}: {r['note']}" for name, r in self.reports.items() if "seconds" not in r]
        house, other = self.reports.get("house", {}), self.reports.get("polars", {})
        if "seconds" not in house or "seconds" not in other:
            return failed
        unequal = [
            f"{what}: polars {other[what]}, house {house[what]}" for what in COMPARED if other[what] != house[what]
        ]
        if abs(other["sum"] - house["sum"]) > 1e-9 * abs(house["sum"]):
            unequal.append(f"sum of values: polars {other['sum']}, house {house['sum']}")
        return failed + unequal


def bench_harmonise(
    sizes: Sequence[int],
    *,
    seed: int = 1,
    limits: Limits,
    data: Path | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> list[Harmonised]:
    """Measure every engine on every size. Data lie in `data` and stay there, or in a folder that is removed."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        return list(_measured(sizes, seed, limits, data, tick))
    with TemporaryDirectory(prefix="aclf-bench-") as folder:
        return list(_measured(sizes, seed, limits, Path(folder), tick))


def _measured(
    sizes: Sequence[int], seed: int, limits: Limits, data: Path, tick: Callable[[str], None]
) -> Iterator[Harmonised]:
    for rows in sizes:
        folder = _drawn(data, rows, seed, limits, tick)
        found = Harmonised(rows)
        for name in ENGINES:
            tick(f"{name} on {rows:,} rows")
            found.reports[name] = _run(name, folder, limits)
        for left_over in [*folder.glob("house.duckdb*"), *folder.glob("*.parquet")]:
            left_over.unlink()
        yield found


def _drawn(data: Path, rows: int, seed: int, limits: Limits, tick: Callable[[str], None]) -> Path:
    folder = data / f"harmonise-{rows}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    done, drawn_as = folder / "done", fingerprint(rows, seed)
    if not done.is_file() or done.read_text("ascii") != drawn_as:
        tick(f"drawing {rows:,} rows")
        ended = watched([MODULE, "data", str(folder), str(rows), str(seed)], folder / "data.err", limits)
        if ended:
            raise UserError(f"bench: {rows:,} rows could not be drawn: {ended['note']}")
        done.write_text(drawn_as, "ascii")
    return folder


def _run(name: str, folder: Path, limits: Limits) -> dict[str, Any]:
    for file in [folder / BASE, *folder.glob("*.duckdb"), *folder.glob("*.parquet")]:
        into_cache(file)
    report = folder / f"{name}.json"
    report.unlink(missing_ok=True)
    ended = watched([MODULE, "run", name, str(folder), str(report)], folder / f"{name}.err", limits)
    return ended or json.loads(report.read_text("utf-8"))


def as_json(found: Sequence[Harmonised], seed: int, limits: Limits) -> str:
    """Everything that was measured, and on what."""
    sizes = [asdict(one) | {"problems": one.problems} for one in found]
    return json.dumps(machine() | {"seed": seed, "limits": asdict(limits), "sizes": sizes}, indent=2)


def table(found: Harmonised) -> Table:
    """The steps of the house beside what reading and writing alone take, and Polars by hand."""
    drawn = Table(title=f"{found.rows:,} laboratory rows to baselines", title_justify="left")
    for name in ("step", "house s", "rows/s", "read s", "write s", "read+write", "polars s"):
        drawn.add_column(name, justify="left" if name == "step" else "right")
    floor, polars = (found.reports.get(name, {}).get("seconds", {}) for name in ("floor", "polars"))
    for step in found.steps:
        _add(drawn, step, found.house[step], found.rows, floor, [step], polars.get(step))
    drawn.add_section()
    after = [step for step in found.steps if not step.startswith("staging.")]
    for name, steps in (("after staging", after), ("whole", found.steps)):
        by_hand = polars.get("wall") if steps is after else None
        _add(drawn, name, sum(found.house[step] for step in steps), found.rows, floor, steps, by_hand)
    peaks = [f"{found.reports[name].get('peak_bytes', 0) / 1e9:.2f}" for name in ENGINES]
    drawn.caption = f"Peak memory, GB: house {peaks[0]}, floor {peaks[1]}, polars {peaks[2]}. {_LEGEND}"
    return drawn


_LEGEND = (
    "Each in a process of its own, input in the page cache, drawing and copying not counted. Reading: every column the"
    " step names, looked at once. Writing: what the step wrote, copied into another table. Polars: by hand, from"
    " Parquet to Parquet, after staging, only the columns a baseline needs; its answers are held to the house's."
)


def _add(
    drawn: Table,
    name: str,
    took: float,
    rows: int,
    floor: dict[str, float],
    steps: Sequence[str],
    by_hand: float | None,
) -> None:
    read, write = (sum(floor.get(f"{step}:{part}", 0.0) for step in steps) for part in ("read", "write"))
    drawn.add_row(
        name, f"{took:.2f}", f"{rows / took:,.0f}" if took else "", f"{read:.2f}", f"{write:.2f}",
        f"{(read + write) / took:.0%}" if took else "", "" if by_hand is None else f"{by_hand:.2f}",
    )  # fmt: skip
