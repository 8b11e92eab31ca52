"""What the recovery of known log hazard ratios shows, as a table, as sentences and as JSON.

What does not belong here: drawing and fitting (`recovery`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import pairwise

from rich.markup import escape
from rich.table import Table

from aclf_pipeline.bench.gate_run import version_of
from aclf_pipeline.bench.recovery import INFUSIONS, Recovered, Seed, failures, summary, truths
from aclf_pipeline.console import console
from aclf_pipeline.errors import UserError

COVERAGE = (0.93, 0.97)
LARGEST_NULL = 0.05
MOST_ERRORS = 4.0
_WRONG = list(INFUSIONS)[2]


def seeds_of(first: int, number: int) -> range:
    """Seeds from `first` on; two at least, since one says nothing of bias."""
    if number < 2:
        raise UserError("bench: --seeds asks for 1 hospital, which says nothing of bias or coverage. Try 200.")
    return range(first, first + number)


def print_recovery(found: Sequence[Seed], persons: int) -> bool:
    """Print the table and what follows; gives whether everything held."""
    rows = summary(found)
    console.print(table(rows, found, persons))
    console.print(legend(), highlight=False)
    held = True
    for holds, says in verdicts(rows, found):
        held &= holds
        console.print(f"[{'green' if holds else 'red'}]{'✓' if holds else '✗'}[/] {escape(says)}", highlight=False)
    return held


def table(rows: Sequence[Recovered], found: Sequence[Seed], persons: int) -> Table:
    """One row per term."""
    eligible, deaths = (sum(getattr(s, what) for s in found) / len(found) for what in ("n", "deaths"))
    drawn = Table(
        title=f"{len(found)} hospitals of {persons:,} persons: {eligible:.0f} followed, {deaths:.0f} deaths on average",
        title_justify="left",
    )
    drawn.add_column("log hazard ratio", no_wrap=True)
    for name in ("truth", "mean", "bias ± MC error", "sd", "mean se", "95 % covers ± MC error", "fits"):
        drawn.add_column(name, justify="right", no_wrap=True)
    for row, after in pairwise([*rows, None]):
        if row is None:
            continue
        drawn.add_row(
            row.term, f"{row.truth:.4g}", f"{row.mean:.4f}", f"{row.bias:+.4f} ± {row.bias_error:.4f}",
            f"{row.sd:.4f}", f"{row.se:.4f}", f"{row.coverage:.1%} ± {row.coverage_error:.1%}", str(row.seeds),
            end_section=row.term not in INFUSIONS and after is not None and after.term in INFUSIONS,
        )  # fmt: skip
    return drawn


def legend() -> str:
    """What was done, for below the table."""
    told = "; ".join(f"{name}: {says}" for name, says in INFUSIONS.items())
    return (
        "Deaths are drawn by the simulator's own code from hazards with these ratios, infusions without any effect;"
        " Efron ties in whole days, transplant, loss and the end of the study censored, covariates as they are on the"
        f" day of time zero. Infusions are adjusted for all covariates. {told}."
    )


def verdicts(rows: Sequence[Recovered], found: Sequence[Seed]) -> Iterable[tuple[bool, str]]:
    """What must hold, and whether it does."""
    known = [row for row in rows if row.term in truths()]
    if known:
        far = max(known, key=lambda row: abs(row.bias) / max(row.bias_error, 1e-300))
        errors = abs(far.bias) / max(far.bias_error, 1e-300)
        yield (
            errors < MOST_ERRORS,
            (
                f"bias: of {len(known)} log hazard ratios, {far.term} is the furthest from its truth, by"
                f" {errors:.1f} Monte-Carlo errors ({abs(far.bias) / far.sd:.2f} of its spread); {MOST_ERRORS:g} are"
                " chance"
            ),
        )
        fits = sum(row.seeds for row in known)
        covered = sum(row.coverage * row.seeds for row in known) / fits
        least, most = min(known, key=lambda r: r.coverage), max(known, key=lambda r: r.coverage)
        yield (
            COVERAGE[0] <= covered <= COVERAGE[1],
            (
                f"coverage of 95 % intervals: {covered:.1%} of {fits:,}; lowest {least.coverage:.1%} ({least.term}),"
                f" highest {most.coverage:.1%} ({most.term})"
            ),
        )
    for row in rows:
        if row.term in INFUSIONS and row.term != _WRONG:
            yield (
                abs(row.mean) < LARGEST_NULL,
                (
                    f"infusions without effect, {row.term}: log hazard ratio {row.mean:+.3f} ± {row.bias_error:.3f};"
                    f" less than {LARGEST_NULL} is promised"
                ),
            )
        elif row.term == _WRONG:
            yield (
                row.mean < -LARGEST_NULL,
                f"the same infusions as a column at baseline would be told as {row.mean:+.3f}: immortal time",
            )
    failed = failures(found)
    yield not failed, f"failed fits: {sum(failed.values())}{''.join(f'; {n}: {why}' for why, n in failed.items())}"


def as_json(found: Sequence[Seed], persons: int) -> str:
    """Everything: the summary, every estimate, and by which versions."""
    return json.dumps(
        {
            "persons": persons,
            "seeds": [seed.seed for seed in found],
            "versions": {name: version_of(name) for name in ("aclf_pipeline", "numpy", "scipy")},
            "summary": [asdict(row) for row in summary(found)],
            "failures": failures(found),
            "verdicts": [{"holds": holds, "says": says} for holds, says in verdicts(summary(found), found)],
            "estimates": [asdict(seed) for seed in found],
        },
        indent=1,
    )
