"""Runs the detection bench over profiles, seeds and rates, and sums its tables.

What does not belong here: how one hospital is scored (`detection`), and printing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from aclf_pipeline.bench import detection
from aclf_pipeline.bench.hospital import Judged, judge_hospital
from aclf_pipeline.bench.mutation import worth
from aclf_pipeline.simulate.profiles import CLEAN, STANDARD, blocking_of

COUNTS = [
    "planted", "asked", "met", "attributed", "preferred", "repaired_values", "right_values", "findings", "false",
    "stray_flags",
]  # fmt: skip


@dataclass
class DetectionReport:
    """What a bench came to.

    classes: one row per class over all runs; runs: the same per run; missed: every instance not met, or met by another
    rule; false_on_clean: rule, action and findings where there was nothing to find, per seed; mutants: what slips when
    a rule is removed or loosened, per hospital it was tried on.
    """

    runs: list[pl.DataFrame] = field(default_factory=list)
    missed: list[pl.DataFrame] = field(default_factory=list)
    false_on_clean: list[pl.DataFrame] = field(default_factory=list)
    mutants: list[pl.DataFrame] = field(default_factory=list)
    clean_runs: int = 0

    @property
    def classes(self) -> pl.DataFrame:
        """Counts summed over runs, with recall, precision and attribution; a share of nothing is missing."""
        if not self.runs:
            return pl.DataFrame()
        summed = pl.concat(self.runs).group_by("defect").agg(pl.col(c).sum() for c in COUNTS).sort("defect")
        return summed.with_columns(**_shares()).filter(pl.col("planted") > 0)

    @property
    def overall(self) -> dict[str, float | None]:
        """Recall, attribution and precision over all classes together."""
        if not self.runs:
            return {}
        return pl.concat(self.runs).select(pl.col(c).sum() for c in COUNTS).select(**_shares()).row(0, named=True)

    def plain(self) -> dict[str, Any]:
        """Everything as plain values."""
        every = pl.concat(self.missed) if self.missed else pl.DataFrame()
        clean = pl.concat(self.false_on_clean) if self.false_on_clean else pl.DataFrame()
        return {
            "overall": self.overall,
            "classes": self.classes.to_dicts(),
            "missed": every.to_dicts(),
            "clean_hospitals": self.clean_runs,
            "false_on_clean": clean.to_dicts(),
            "rules": worth(pl.concat(self.mutants)).to_dicts() if self.mutants else [],
        }


def _shares() -> dict[str, pl.Expr]:
    def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
        return pl.when(whole > 0).then(part / whole)

    return {
        "recall": share(pl.col("met"), pl.col("asked")),
        "attribution": share(pl.col("attributed"), pl.col("met")),
        "precision": share(pl.col("findings") - pl.col("false"), pl.col("findings")),
    }


def run_detection(
    report: DetectionReport,
    *,
    persons: int,
    seeds: Sequence[int],
    rates: Sequence[float],
    profiles: Sequence[str],
    tick: Callable[[str], None] = lambda _: None,
    mutants: Callable[[Judged], pl.DataFrame] | None = None,
) -> None:
    """Simulate and judge one hospital per profile, seed and rate, and add what came of it to the report.

    A clean hospital has no rate. With `mutants`, rules are tried on each hospital instead of being scored.
    """
    for profile in profiles:
        for seed in seeds:
            for rate in rates if profile != CLEAN else (1.0,):
                tick(f"{profile}, seed {seed}, rate {rate:g}")
                with _hospital(persons, seed, profile, rate) as judged:
                    if mutants is None:
                        _take(report, judged)
                    else:
                        report.mutants.append(mutants(judged))


@contextmanager
def _hospital(persons: int, seed: int, profile: str, rate: float) -> Iterator[Judged]:
    with tempfile.TemporaryDirectory(prefix="aclf-bench-") as folder:
        yield judge_hospital(Path(folder) / "hospital", persons=persons, seed=seed, profile=profile, rate=rate)


def _take(report: DetectionReport, judged: Judged) -> None:
    with judged.warehouse() as wh:
        evidence = detection.evidence_of(wh, judged.truth, judged.pseudonyms)
    run = [
        pl.lit(judged.profile).alias("profile"),
        pl.lit(judged.seed, pl.Int64).alias("seed"),
        pl.lit(judged.rate).alias("rate"),
    ]
    if judged.profile == CLEAN:
        report.clean_runs += 1
        report.false_on_clean.append(detection.false_alarms(evidence).with_columns(run))
        return
    scored, lost = detection.score(evidence), detection.missed(evidence)
    if judged.profile != STANDARD:
        # the rest of such a hospital is the standard one, which is scored by itself
        broken = pl.col("defect") == blocking_of(judged.profile)
        scored, lost = scored.filter(broken), lost.filter(pl.col("defect_id") == blocking_of(judged.profile))
    report.runs.append(scored.with_columns(run))
    report.missed.append(lost.with_columns(run))
