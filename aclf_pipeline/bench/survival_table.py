"""The bench of survival engines as a table, and what follows from it in sentences.

What does not belong here: measuring (`survival_run`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from aclf_pipeline.bench.gate_run import Limits
from aclf_pipeline.bench.survival_plan import COVARIATES, IMPUTATIONS, PEOPLE, RESAMPLES
from aclf_pipeline.bench.survival_run import ENGINES, OURS, Measured
from aclf_pipeline.console import console

PLAN_SECONDS = 120.0
TIMES_LIFELINES = 30.0
LARGEST_DIFFERENCE = 1e-3
PLAN = "whole plan"


def print_survival(runs: Sequence[Measured], limits: Limits) -> bool:
    """Print the table and what follows; gives whether every engine agrees with ours."""
    console.print(table(runs))
    console.print(legend(runs, limits), highlight=False)
    agreed = True
    for binding, holds, says in verdicts(runs):
        agreed &= holds or not binding
        console.print(f"[{'green' if holds else 'red'}]{'✓' if holds else '✗'}[/] {escape(says)}", highlight=False)
    return agreed


def table(runs: Sequence[Measured]) -> Table:
    """Each task's engines, in the order they ran."""
    drawn = Table(title="Cox models, Efron's ties, whole days", title_justify="left")
    for name in ("task", "engine"):
        drawn.add_column(name)
    for name in ("seconds", "× ours", "max |Δβ| to ours", "peak GB"):
        drawn.add_column(name, justify="right")
    for task in dict.fromkeys(run.task for run in runs):
        of_task = [run for run in runs if run.task == task]
        own = next((run.seconds for run in of_task if run.engine == OURS and run.seconds), None)
        for k, run in enumerate(of_task):
            if run.seconds is None:
                figures = [f"{run.state}: {run.note}", "", "", ""]
            else:
                figures = [
                    seconds(run.seconds),
                    "" if own is None or run.engine == OURS else f"{run.seconds / own:.1f}",
                    "" if run.difference is None else f"{run.difference:.0e}",
                    "" if run.peak_bytes is None else f"{run.peak_bytes / 1e9:.2f}",
                ]
            drawn.add_row(task if k == 0 else "", run.engine, *figures, end_section=k == len(of_task) - 1)
    return drawn


def seconds(value: float) -> str:
    """Seconds in three figures."""
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def verdicts(runs: Sequence[Measured]) -> Iterable[tuple[bool, bool, str]]:
    """(binding, holds, says): coefficients must agree; speed is what this machine, as busy as it is, gave."""
    for task in dict.fromkeys(run.task for run in runs):
        known = {run.engine: run for run in runs if run.task == task and run.seconds is not None}
        away = {name: run.difference for name, run in known.items() if run.difference is not None}
        if away:
            name = max(away, key=lambda engine: away[engine])
            says = f"{task}: coefficients agree; the furthest from ours is {name}, by {away[name]:.0e}"
            yield True, away[name] < LARGEST_DIFFERENCE, says
        own = known.get(OURS)
        if own is None or own.seconds is None:
            continue
        if task == PLAN:
            steps = ", ".join(f"{step} {value:.1f} s" for step, value in own.told["steps"].items())
            yield (
                False,
                own.seconds < PLAN_SECONDS,
                (
                    f"{own.told['imputations']} imputations × {own.told['resamples']} resamples in {own.seconds:.0f} s"
                    f" on {own.told['workers']} processes ({steps}; {own.told['failed']} failed fits); promised are"
                    f" {PLAN_SECONDS:.0f}"
                ),
            )
        for name, least in (("lifelines", TIMES_LIFELINES if "fits" in task else 1.0), ("R", 1.0)):
            peer = known.get(name)
            if peer is not None and peer.seconds is not None:
                ratio = peer.seconds / own.seconds
                yield False, ratio >= least, f"{task}: {ratio:.1f} times as fast as {name}; promised are {least:g}"


def legend(runs: Sequence[Measured], limits: Limits) -> str:
    """What was run and how, for below the table."""
    used = "; ".join(f"{name}: {ENGINES[name][0]}" for name in dict.fromkeys(run.engine for run in runs))
    return (
        f"{used}.\nEach in a process of its own with one thread of linear algebra, warmed up, rows in its own container"
        " before the clock starts; the median of the repeats. One fit: 20 covariates. The whole plan is ours alone:"
        f" {IMPUTATIONS} imputations of {PEOPLE} people with {COVARIATES} covariates, models fitted and pooled,"
        f" {RESAMPLES} resamples of each refitted and measured (C, slope, Brier and IPA at three horizons, in the"
        f" resample and on the rows). A process above {limits.gigabytes:g} GB or {limits.seconds:g} s is stopped."
    )
