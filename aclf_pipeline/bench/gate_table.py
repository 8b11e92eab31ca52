"""The gate's bench as a table, and what follows from it in sentences.

What does not belong here: measuring (`gate_run`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from aclf_pipeline.bench.gate_run import ENGINES, WARM_ROWS, Limits, Run
from aclf_pipeline.console import console

MOST_TIMES_FLOOR = 1.5
MOST_BYTES = 2_000_000_000
_OURS = ("gate", "floor")


def print_gate(runs: Sequence[Run], limits: Limits, repeat: int) -> bool:
    """Print a table per size and what follows; gives whether all engines found the same failures."""
    for rows in dict.fromkeys(run.rows for run in runs):
        console.print(table([run for run in runs if run.rows == rows], rows))
    console.print(legend(runs, limits, repeat), highlight=False)
    for holds, says in verdicts(runs):
        console.print(f"[{'green' if holds else 'red'}]{'✓' if holds else '✗'}[/] {escape(says)}", highlight=False)
    unequal = differences(runs)
    for line in unequal:
        console.print(f"[red]✗[/red] {escape(line)}", highlight=False)
    if not unequal:
        console.print("[green]✓[/green] every engine found the same number of rows for every rule", highlight=False)
    return not unequal


def table(runs: Sequence[Run], rows: int) -> Table:
    """The engines on one size, fastest first, those without a figure last."""
    drawn = Table(
        title=f"{rows:,} laboratory rows, one in a hundred with a defect, fifteen rules", title_justify="left"
    )
    columns = "engine|judged s|CPU s|rows/s|peak GB|× floor|× gate|recorded s|accepted s|failures|keys"
    for name in columns.split("|"):
        drawn.add_column(name, justify="left" if name in ("engine", "keys") else "right")
    by_name = {run.engine: run for run in runs if run.state == "ok"}
    for run in sorted(by_name.values(), key=lambda run: run.judged):
        wall, cpu = run.judged
        later = [f"{run.recorded[0]:.1f}", f"{run.whole[0]:.1f}"] if run.engine in _OURS else ["", ""]
        drawn.add_row(
            run.engine, f"{wall:.1f}", f"{cpu:.1f}", f"{rows / wall:,.0f}", f"{(run.peak_bytes or 0) / 1e9:.2f}",
            _times(run, by_name.get("floor")), _times(run, by_name.get("gate")), *later,
            f"{sum(run.failing_rows.values()):,}", ENGINES[run.engine][2],
        )  # fmt: skip
    for run in runs:
        if run.state != "ok":
            drawn.add_row(run.engine, *[""] * 9, Text(f"{run.state}: {run.note}"))
    return drawn


def _times(run: Run, other: Run | None) -> str:
    return "" if other is None else f"{run.judged[0] / other.judged[0]:.2f}"


def differences(runs: Sequence[Run]) -> list[str]:
    """Where engines do not count the same failing rows for a rule as the first that has a figure for the size."""
    told = []
    for rows in dict.fromkeys(run.rows for run in runs):
        measured = [run for run in runs if run.rows == rows and run.state == "ok"]
        for run in measured[1:]:
            told += [
                f"{rows:,} rows, {rule}: {run.engine} finds {count:,}, {measured[0].engine}"
                f" {measured[0].failing_rows[rule]:,}"
                for rule, count in run.failing_rows.items()
                if count != measured[0].failing_rows[rule]
            ]
        told += [
            f"{rows:,} rows: {run.engine} counts {total:,} failures and names {run.keys:,}"
            for run in measured
            if run.keys != (total := sum(run.failing_rows.values()))
        ]
    return told


def verdicts(runs: Sequence[Run]) -> Iterable[tuple[bool, str]]:
    """What the gate promises of its speed and memory, and whether this run bears it out."""
    for rows in dict.fromkeys(run.rows for run in runs):
        of_size = {run.engine: run for run in runs if run.rows == rows and run.state == "ok"}
        if "gate" not in of_size:
            continue
        gate, peers = of_size["gate"], [run for name, run in of_size.items() if name not in _OURS]
        if "floor" in of_size:
            floor = of_size["floor"]
            for what, ours, other in (
                ("judged", gate.judged, floor.judged),
                ("recorded", gate.recorded, floor.recorded),
                ("accepted", gate.whole, floor.whole),
            ):
                yield (
                    ours[0] <= MOST_TIMES_FLOOR * other[0],
                    (
                        f"{rows:,} rows {what} in {ours[0] / other[0]:.2f} times the floor's time"
                        f" ({ours[1] / other[1]:.2f} times its CPU); promised are {MOST_TIMES_FLOOR}"
                    ),
                )
        if peers:
            first, least = min(peers, key=lambda run: run.judged[0]), min(peers, key=lambda run: run.judged[1])
            longer, dearer = first.judged[0] / gate.judged[0], least.judged[1] / gate.judged[1]
            yield (
                longer > 1,
                (
                    f"{rows:,} rows: the fastest peer, {first.engine}, takes {longer:.2f} times as long to judge; that"
                    f" with the least CPU, {least.engine}, {dearer:.2f} times as much"
                ),
            )
        peak = gate.peak_bytes or 0
        yield peak < MOST_BYTES, f"{rows:,} rows: the gate's peak is {peak / 1e9:.2f} GB; promised is less than 2"


def legend(runs: Sequence[Run], limits: Limits, repeat: int) -> str:
    """What was run and how, for below the tables."""
    engines = "; ".join(f"{name}: {ENGINES[name][0]}" for name in dict.fromkeys(run.engine for run in runs))
    return (
        f"{engines}.\nEach in a process of its own, warmed up on {WARM_ROWS:,} rows, input in the page cache,"
        f" {'once' if repeat == 1 else f'the median of {repeat} runs'}; start and copying of the input not counted."
        " Judged: every failure known by rule and row, which is where peers end. Recorded: violations with what was"
        " seen and the quarantine written (the gate: and what became of the last findings). Accepted: and the rows that"
        " are left. CPU and ratios are of judging. The gate and the floor read a native DuckDB file and write to it;"
        " peers read Parquet, only the columns the rules name, and store nothing; by position: the key is looked up,"
        f" which is counted. A process above {limits.gigabytes:g} GB or {limits.seconds:g} s is stopped."
    )
