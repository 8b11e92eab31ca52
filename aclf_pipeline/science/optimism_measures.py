"""How well predictions do on some rows: C, calibration slope, Brier score and its gain, taken thousands of times.

The figures are those of concordance.harrell, of a Cox model on the linear predictor, and of survival_performance's
brier_score, without their standard errors; what depends on the rows alone is made once for them.

Comparing resamples with the original rows does not belong here (optimism).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aclf_pipeline.science.censoring_weights import CensoringWeights
from aclf_pipeline.science.concordance import harrell_index
from aclf_pipeline.science.cox_fit import LARGEST_STANDARDISED
from aclf_pipeline.science.cox_kernel import Likelihood, climb
from aclf_pipeline.science.outcomes import Outcomes, incidence_curve
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints, RiskSets

MEASURES = ("c", "slope", "brier", "ipa")


@dataclass(frozen=True)
class Predictions:
    """What a model says of every original row (n): linear predictor, higher is worse, and risk by horizon (n × h).

    risk may be None, or NaN for a horizon the model knows nothing of; then no Brier score is made.
    """

    linear: Floats
    risk: Floats | None = None


@dataclass(frozen=True)
class Measured:
    """Rows on which predictions are measured: places among the original rows (m, with repetition), and their outcome.

    sets: who of the rows is at risk when; its own rows are places among the m.
    """

    rows: Ints
    data: Outcomes
    sets: RiskSets
    horizons: Floats
    cause: int

    @classmethod
    def of(cls, data: Outcomes, horizons: Sequence[float], cause: int) -> Measured:
        """All rows of right-censored data (n), whose times are settled."""
        event, strata = data.happened(cause), np.zeros(data.n, dtype=np.int64)
        sets = RiskSets.of(data.entry, data.time, event, strata)
        return cls(np.arange(data.n), data, sets, np.asarray(data.settled(horizons), dtype=np.float64), cause)

    def drawn(self, rows: Ints) -> Measured:
        """Rows drawn of all of them: what is at risk is known already."""
        data = self.data
        part = Outcomes(data.time[rows], data.code[rows], data.entry[rows])
        return Measured(rows, part, self.sets.drawn(rows)[0], self.horizons, self.cause)

    @cached_property
    def event(self) -> Bools:
        """Who had the event (m)."""
        return self.data.happened(self.cause)

    @cached_property
    def weights(self) -> list[Floats | None]:
        """Weights against censoring (m) at each horizon; None where nobody is followed beyond it."""
        made = CensoringWeights.of("internal validation", self.data)
        last = float(self.data.time.max())
        return [None if t >= last and not np.isfinite(made.followed(t)) else made.at(t) for t in self.horizons.tolist()]

    @cached_property
    def null_risk(self) -> Floats:
        """The risk everybody has without a model, at each horizon."""
        return incidence_curve(self.data, self.cause).at(self.horizons)

    def of_model(self, made: Predictions) -> Floats:
        """C, slope, the Brier scores and the gains over the null model (2 + 2h); NaN where one cannot be taken here."""
        linear = made.linear[self.rows]
        found = [
            _or_nan(lambda: harrell_index(self.data.time, self.event, linear)),
            _or_nan(lambda: self._slope(linear)),
        ]
        scores = np.full((2, len(self.horizons)), np.nan)
        if made.risk is not None:
            for k in range(len(self.horizons)):
                scores[:, k] = self._brier(k, made.risk[self.rows, k])
        return np.concatenate([found, scores.ravel()])

    def _slope(self, linear: Floats) -> float:
        """Coefficient of the linear predictor, climbed to from 1."""
        kept = linear[self.sets.rows]
        centre, spread = kept.mean(), kept.std()
        if not spread > 1e-12 * max(1.0, abs(centre)):
            raise StatisticalProblem("internal validation: everybody has the same linear predictor")
        column = ((kept - centre) / spread)[None, :]
        likelihood = Likelihood(self.sets, column, np.ones(len(kept)))
        state, _ = climb(likelihood, likelihood.at(np.array([spread])), ["linear predictor"])
        beta = float(state.beta[0])
        if not abs(beta) < LARGEST_STANDARDISED:
            raise StatisticalProblem("internal validation: the linear predictor separates the events")
        return beta / float(spread)

    def _brier(self, k: int, risk: Floats) -> tuple[float, float]:
        """Brier score at a horizon, and the gain over the null model."""
        weight = self.weights[k]
        if weight is None or not np.isfinite(risk).all():
            return np.nan, np.nan
        happened = self.event & (self.data.time <= self.horizons[k])
        brier, null = (float((weight * (happened - r) ** 2).mean()) for r in (risk, self.null_risk[k]))
        return brier, 1 - brier / null if null > 0 else np.nan


def _or_nan(measure: Callable[[], float]) -> float:
    """Take a measure; NaN where the rows do not have it: the table counts what is NaN."""
    try:
        return measure()
    except StatisticalProblem:
        return float("nan")
