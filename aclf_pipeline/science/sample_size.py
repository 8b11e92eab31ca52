"""How many degrees of freedom the data can bear, and how many people a prediction model needs.

The criteria of Riley et al. 2019, Stat Med 38:1276 (time-to-event): expected shrinkage at least 0.9; apparent and
adjusted Nagelkerke R² within 0.05; overall risk at the horizon known within 0.05. Computed as R's pmsampsize does:
the null model is exponential with mean follow-up as unit of time, its log likelihood E·ln(E/n) − E.

Power of tests and choice of covariates do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, log, sqrt

from aclf_pipeline.science.problems import StatisticalProblem

WHAT = "sample size"
LEAST_SHRINKAGE = 0.9
LARGEST_R2_GAP = 0.05
LARGEST_RISK_ERROR = 0.05


@dataclass(frozen=True)
class Budget:
    """Degrees of freedom that n people with `events` events bear at an expected Nagelkerke R².

    df_shrinkage: so many keep the expected shrinkage at least at `shrinkage`. df_optimism: so many keep the apparent
    and adjusted Nagelkerke R² within `gap`. df: the lesser. events_per_df: events over df.
    """

    n: int
    events: int
    r2_nagelkerke: float
    r2_cox_snell: float
    r2_cox_snell_max: float
    shrinkage: float
    gap: float
    df_shrinkage: float
    df_optimism: float

    @property
    def df(self) -> float:
        """The lesser of the two."""
        return min(self.df_shrinkage, self.df_optimism)

    @property
    def events_per_df(self) -> float:
        """Events for each degree of freedom of the budget."""
        return self.events / self.df


@dataclass(frozen=True)
class Required:
    """People needed by each criterion for a number of parameters, the greatest of them, and the events among them."""

    by_shrinkage: int
    by_optimism: int
    by_risk: int
    n: int
    events: float
    events_per_df: float


def max_r2_cox_snell(n: float, events: float) -> float:
    """Return the Cox–Snell R² of a model that predicts everything: 1 − exp(2·lnL₀/n), lnL₀ = E·ln(E/n) − E."""
    if not 0 < events <= n:
        raise StatisticalProblem(f"{WHAT}: {events:g} events among {n:g} people; there must be some, and not more")
    return 1 - exp(2 * (events * log(events / n) - events) / n)


def degrees_of_freedom(n: float, r2_cox_snell: float, shrinkage: float = LEAST_SHRINKAGE) -> float:
    """Return the parameters n people bear at an expected shrinkage: p = n·(S − 1)·ln(1 − R²cs/S)."""
    if not 0 < r2_cox_snell < shrinkage < 1:
        raise StatisticalProblem(
            f"{WHAT}: R² {r2_cox_snell:g} and shrinkage {shrinkage:g}; both lie between 0 and 1, and R² below shrinkage"
        )
    return n * (shrinkage - 1) * log(1 - r2_cox_snell / shrinkage)


def df_budget(
    n: int, events: int, r2_nagelkerke: float, *, shrinkage: float = LEAST_SHRINKAGE, gap: float = LARGEST_R2_GAP
) -> Budget:
    """Return the degrees of freedom n people with so many events bear, if the model will explain `r2_nagelkerke`.

    r2_nagelkerke is the share of the greatest possible Cox–Snell R², expected before the data are seen: 0.15 where
    nothing is known (Riley et al. 2019). Raises StatisticalProblem for figures that cannot be.
    """
    if not 0 < r2_nagelkerke < 1:
        raise StatisticalProblem(f"{WHAT}: an expected Nagelkerke R² of {r2_nagelkerke:g} is not between 0 and 1")
    most = max_r2_cox_snell(n, events)
    r2 = r2_nagelkerke * most
    return Budget(
        n=n,
        events=events,
        r2_nagelkerke=r2_nagelkerke,
        r2_cox_snell=r2,
        r2_cox_snell_max=most,
        shrinkage=shrinkage,
        gap=gap,
        df_shrinkage=degrees_of_freedom(n, r2, shrinkage),
        df_optimism=degrees_of_freedom(n, r2, r2 / (r2 + gap * most)),
    )


def expected_shrinkage(parameters: float, lr_statistic: float) -> float:
    """Return van Houwelingen and le Cessie's heuristic shrinkage 1 − p/LR (1990, Stat Med 9:1303) of a fitted model.

    lr_statistic: likelihood ratio against no covariates. Raises StatisticalProblem if it is not above 0.
    """
    if not lr_statistic > 0:
        raise StatisticalProblem(f"{WHAT}: a likelihood ratio of {lr_statistic:g} says nothing of shrinkage")
    return 1 - parameters / lr_statistic


def required(
    parameters: int,
    r2_cox_snell: float,
    *,
    rate: float,
    mean_followup: float,
    horizon: float,
    shrinkage: float = LEAST_SHRINKAGE,
    gap: float = LARGEST_R2_GAP,
    margin: float = LARGEST_RISK_ERROR,
) -> Required:
    """Return the people a model of so many parameters needs, by the three criteria.

    rate: events per person and unit of time, in the unit of mean_followup and horizon. by_risk is at least by_shrinkage
    (as pmsampsize): people are added until the Wald interval of the exponential risk by the horizon is within `margin`.
    """
    if not (rate > 0 and mean_followup > 0 and horizon > 0 and parameters > 0):
        raise StatisticalProblem(f"{WHAT}: parameters, rate, follow-up and horizon must be above 0")
    share = rate * mean_followup
    most = max_r2_cox_snell(1.0, share)
    stay = r2_cox_snell / (r2_cox_snell + gap * most)
    one = degrees_of_freedom(1.0, r2_cox_snell, shrinkage)
    two = degrees_of_freedom(1.0, r2_cox_snell, stay)
    first, second = ceil(parameters / one), ceil(parameters / two)
    third = max(first, second)
    while risk_margin(rate, third * mean_followup, horizon) > margin:
        third += 1
    return Required(first, second, third, third, third * share, third * share / parameters)


def risk_margin(rate: float, person_time: float, horizon: float) -> float:
    """Return how far the 95 % limits of the exponential risk by the horizon lie from it, the farther of the two."""
    error = 1.96 * sqrt(rate / person_time)
    risk = 1 - exp(-rate * horizon)
    upper, lower = 1 - exp(-(rate + error) * horizon), 1 - exp(-(rate - error) * horizon)
    return max(upper - risk, risk - lower)
