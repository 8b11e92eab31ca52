"""What a fitted Cox model is: the data, the coefficients, their variance and tests, and the likelihood at its maximum.

Fitting (cox_fit) and what is made of a fit (cox_residuals, cox_curves, proportional_hazards, concordance) do not belong
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from aclf_pipeline.science.cox_kernel import Likelihood, State
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints


@dataclass(frozen=True)
class ChiSquare:
    """A test statistic, chi-square on df degrees of freedom if there is no association, and its p-value."""

    statistic: float
    df: int
    p: float

    @classmethod
    def of(cls, statistic: float, df: int) -> ChiSquare:
        """Refer the statistic to the chi-square distribution."""
        return cls(float(statistic), df, float(chdtrc(df, statistic)))


@dataclass(frozen=True)
class CoxData:
    """What was fitted, one row per person or episode (n): times, event, design (n × p), stratum code, weight, cluster.

    start is −inf without delayed entry; strata are 0, 1, … in rising order of the labels; weight is 1 where none is
    given; cluster (codes) is None where rows are their own. Times are settled: equal if they differ by binary noise.
    """

    start: Floats
    stop: Floats
    event: Bools
    design: Floats
    strata: Ints
    weight: Floats
    cluster: Ints | None


@dataclass(frozen=True)
class CoxFit:
    """A maximised partial likelihood.

    coef (p) log hazard ratios; vcov (p × p) the robust variance where one was asked for, else the inverse information,
    which is always naive_vcov. loglik_null and loglik; lr, score and wald test that all coefficients are 0 (Wald by
    vcov, the others by likelihood). likelihood and state are those of the design centred at `centre` and divided by
    `scale` (p each).
    """

    names: tuple[str, ...]
    coef: Floats
    vcov: Floats
    naive_vcov: Floats
    loglik_null: float
    loglik: float
    lr: ChiSquare
    score: ChiSquare
    wald: ChiSquare
    ties: str
    robust: bool
    steps: int
    data: CoxData
    centre: Floats
    scale: Floats
    likelihood: Likelihood
    state: State

    @property
    def se(self) -> Floats:
        """Standard errors of coef, by vcov (p)."""
        return np.sqrt(np.diag(self.vcov))

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.data.stop)

    @property
    def events(self) -> int:
        """Rows with an event."""
        return int(self.data.event.sum())

    @property
    def linear_predictor(self) -> Floats:
        """Log relative hazard of each row against one with the mean covariates (n)."""
        return np.asarray((self.data.design - self.centre) @ self.coef)
