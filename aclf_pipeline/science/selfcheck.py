"""The self-check of the statistics: agreement with R on public data, and coverage in simulations of known truth.

An appendix of every report, made in the run that makes the report: what is installed here computes what it should.
Which estimator is compared with what is in selfcheck_agreement; reading the reference data, and blocking a report, do
not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import binom

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.competing_risks import cumulative_incidence, incidence_at
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.episodes import with_changes
from aclf_pipeline.science.product_limit import product_limit
from aclf_pipeline.science.risk_sets import Floats
from aclf_pipeline.science.rmst import restricted_mean
from aclf_pipeline.science.selfcheck_agreement import comparisons, numbers

NOMINAL = 0.95
# A right interval leaves this band once in a thousand self-checks of another seed.
BAND = 0.999
NULL_LIMIT = 0.05
PERSONS, LAST_DAY = 620, 168.0
SHAPE, UNIT = 0.62, 150.0
LOG_HR = {"x1": 0.5, "x2": 0.3, "x3": 0.7}
DEATH_RATE, TRANSPLANT_RATE, FOLLOWED = 0.006, 0.001, 300
COVERAGE = {
    "quantity": pl.String,
    "truth": pl.Float64,
    "mean": pl.Float64,
    "bias": pl.Float64,
    "coverage": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "simulations": pl.Int64,
    "within": pl.Boolean,
}
Trial = tuple[float, float, float]


@dataclass(frozen=True)
class SelfCheck:
    """agreement: one row per quantity and data set; coverage: one row per quantity simulated.

    agreement: quantity, data_set, values (how many numbers), ours and r (where they differ most), max_difference,
    tolerance, within. coverage: quantity, truth, mean (of the estimates), bias, coverage (of 95 % intervals), low and
    high (the band it must lie in), simulations, within; for the null effect coverage is null and |mean| must be < 0.05.
    """

    agreement: pl.DataFrame
    coverage: pl.DataFrame

    @property
    def breaches(self) -> list[str]:
        """What is out of tolerance, in words; nothing if all is well."""
        apart = [
            f"{row['quantity']} on {row['data_set']}: {row['max_difference']:.2g} from R, "
            f"{row['tolerance']:.0e} allowed"
            for row in self.agreement.filter(~pl.col("within")).iter_rows(named=True)
        ]
        return apart + [
            f"{row['quantity']}: mean {row['mean']:.3g} for a truth of {row['truth']:.3g}"
            + ("" if row["coverage"] is None else f", coverage {row['coverage']:.3f}, not {row['low']:.3f} or more")
            for row in self.coverage.filter(~pl.col("within")).iter_rows(named=True)
        ]


def self_check(
    data: Mapping[str, pl.DataFrame], answers: Mapping[str, Any], *, simulations: int = 200, seed: int = 1
) -> SelfCheck:
    """Compare every estimator with R's answers, and simulate what has a known truth.

    data and answers: those of the folder reference_data. The simulations are the same for the same seed.
    """
    return SelfCheck(_agreement(data, answers), coverage(simulations, seed))


def _agreement(data: Mapping[str, pl.DataFrame], answers: Mapping[str, Any]) -> pl.DataFrame:
    """One row per comparison; a number missing on one side only is an infinite difference."""
    rows: list[tuple[object, ...]] = []
    for one in comparisons(data, answers):
        ours, theirs = numbers(one.ours).ravel(), numbers(one.theirs).ravel()
        if ours.shape != theirs.shape:
            rows.append((one.quantity, one.data_set, len(ours), None, None, np.inf, one.tolerance, False))
            continue
        both = np.isnan(ours) & np.isnan(theirs)
        away = np.where(both, 0.0, np.where(np.isnan(ours - theirs), np.inf, np.abs(ours - theirs)))
        most = int(np.argmax(away))
        pair = float(ours[most]), float(theirs[most])
        farthest = float(away[most])
        rows.append((one.quantity, one.data_set, len(ours), *pair, farthest, one.tolerance, farthest <= one.tolerance))
    schema = {"quantity": pl.String, "data_set": pl.String, "values": pl.Int64} | dict.fromkeys(
        ("ours", "r", "max_difference", "tolerance"), pl.Float64
    )
    return pl.DataFrame(rows, schema=schema | {"within": pl.Boolean}, orient="row")


def coverage(simulations: int, seed: int) -> pl.DataFrame:
    """Simulate, estimate, and count how often 95 % intervals hold the truth: one row per quantity."""
    rng, trials = np.random.default_rng(seed), dict[str, list[Trial]]()
    null: list[float] = []
    for _ in range(simulations):
        null.append(_model_trial(rng, trials))
        _curve_trial(rng, trials)
    tails = (1 - BAND) / 2, (1 + BAND) / 2
    low, high = (float(binom.ppf(tail, simulations, NOMINAL)) / simulations for tail in tails)
    rows: list[tuple[object, ...]] = []
    for name, found in trials.items():
        estimate, lower, upper = np.array(found).T
        truth = TRUTHS[name]
        share = float(((lower <= truth) & (truth <= upper)).mean())
        mean = float(estimate.mean())
        rows.append((name, truth, mean, mean - truth, share, low, high, simulations, low <= share <= high))
    mean = float(np.mean(null))
    rows.append(("log hazard ratio of what does nothing", 0.0, mean, mean, None, None, None, simulations,
                 abs(mean) < NULL_LIMIT))  # fmt: skip
    return pl.DataFrame(rows, schema=COVERAGE, orient="row")


def _model_trial(rng: np.random.Generator, trials: dict[str, list[Trial]]) -> float:
    """One cohort seen from its second infusion on: a Cox model with delayed entry, and infusions that do nothing.

    Deaths are Weibull since the first infusion; who dies or leaves before the second is not in the cohort. Returns the
    log hazard ratio of four or more infusions, counted as they are given.
    """
    design = np.column_stack([rng.normal(size=PERSONS), rng.random(PERSONS) < 0.4, rng.random(PERSONS) < 0.3])
    beta = np.array(list(LOG_HR.values()))
    life = UNIT * (rng.exponential(size=PERSONS) * np.exp(-design @ beta)) ** (1 / SHAPE)
    leaves = np.minimum(rng.exponential(400, PERSONS), LAST_DAY)
    infused = np.cumsum(1 + rng.exponential(16, (PERSONS, 6)), axis=1)
    stop, died = np.minimum(life, leaves), life <= leaves
    kept = infused[:, 0] < stop
    start = infused[kept, 0]
    fit = fit_cox(stop[kept], died[kept], design[kept], list(LOG_HR), start=start)
    for name, coef, se in zip(LOG_HR, fit.coef, fit.se, strict=True):
        trials.setdefault(f"log hazard ratio {name}", []).append((coef, coef - 1.96 * se, coef + 1.96 * se))
    curve = cox_curves.survival(fit, np.zeros(3), np.array([84.0]), since=14.0)
    predicted = tuple(float(part[0, 0]) for part in (curve.survival, curve.lower, curve.upper))
    trials.setdefault("predicted survival of a person", []).append(predicted)  # type: ignore[arg-type]
    return _null_effect(start, stop[kept], died[kept], infused[kept], design[kept])


def _null_effect(start: Floats, stop: Floats, died: np.ndarray, infused: Floats, design: Floats) -> float:
    """The log hazard ratio of four or more infusions, episode by episode."""
    who = np.arange(len(stop))
    people = pl.DataFrame({"who": who, "entry": start, "stay": stop, "died": died})
    # The k-th column is the day of infusion k + 2; the fourth is the third column.
    fourth = pl.DataFrame({"who": who, "time": infused[:, 2], "many": np.ones(len(who))})
    rows = with_changes(people, "who", "stay", "died", fourth, value="many", initial=0.0, entry="entry")
    x = np.column_stack([rows["many"].to_numpy(), design[rows["who"].to_numpy()]])
    fit = fit_cox(rows["stop"].to_numpy(), rows["died"].to_numpy(), x, ["many", *LOG_HR],
                  start=rows["start"].to_numpy())  # fmt: skip
    return float(fit.coef[0])


def _curve_trial(rng: np.random.Generator, trials: dict[str, list[Trial]]) -> None:
    """One cohort with constant hazards of death and transplant: curves without a model."""
    death = rng.exponential(1 / DEATH_RATE, FOLLOWED)
    transplant = rng.exponential(1 / TRANSPLANT_RATE, FOLLOWED)
    leaves = np.minimum(rng.exponential(500, FOLLOWED), LAST_DAY)
    time = np.minimum(np.minimum(death, transplant), leaves)
    names = np.where(time == leaves, "censored", np.where(time == death, "death", "transplant"))
    alive = product_limit(time, names != "censored").at([84.0]).row(0, named=True)
    trials.setdefault("Kaplan–Meier", []).append((alive["survival"], alive["lower"], alive["upper"]))
    table = cumulative_incidence(pl.DataFrame({"t": time, "e": names}), duration="t", event="e", horizons=(84.0,))
    risk = incidence_at(table, 84.0).filter(pl.col("state") == "death").row(0, named=True)
    trials.setdefault("cumulative incidence of death", []).append((risk["probability"], risk["lower"], risk["upper"]))
    mean = restricted_mean(time, names != "censored", 84.0)
    trials.setdefault("restricted mean", []).append((mean.mean, mean.lower, mean.upper))


def _truths() -> dict[str, float]:
    """What the simulations are drawn from."""
    rate = DEATH_RATE + TRANSPLANT_RATE
    gone = 1 - float(np.exp(-rate * 84))
    named = {f"log hazard ratio {name}": value for name, value in LOG_HR.items()}
    since = float(np.exp(-((84 / UNIT) ** SHAPE - (14 / UNIT) ** SHAPE)))
    return named | {
        "predicted survival of a person": since,
        "Kaplan–Meier": 1 - gone,
        "cumulative incidence of death": DEATH_RATE / rate * gone,
        "restricted mean": gone / rate,
    }


TRUTHS = _truths()
