"""Weights by the inverse chance of not being censored, and what estimating that chance does to a variance.

G is the Kaplan–Meier curve of censoring, events leaving before the censored of the same time; whoever had an event at T
weighs 1/G(T−), whoever is still followed at t weighs 1/G(t), and the censored before t weigh nothing (Graf et al. 1999,
Stat Med 18:2529; Gerds & Schumacher 2006, Biom J 48:1029). Right-censored data: with delayed entry G does not identify
who was never seen. Scores built on the weights (survival_performance) do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aclf_pipeline.science.outcomes import CENSORED, Outcomes, Steps, censoring_curve
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats


@dataclass(frozen=True)
class CensoringWeights:
    """G of a sample; `own` (n) is 1/G just before each row's time."""

    data: Outcomes
    curve: Steps
    own: Floats

    @classmethod
    def of(cls, what: str, data: Outcomes) -> CensoringWeights:
        """Estimate G; raises StatisticalProblem for delayed entry."""
        if np.isfinite(data.entry).any():
            raise StatisticalProblem(f"{what}: with delayed entry weights by censoring are not defined")
        curve = censoring_curve(data, events_leave_first=True)
        return cls(data, curve, 1 / curve.before(data.time))

    def followed(self, time: float) -> float:
        """1/G(t), infinite where nobody is followed beyond t."""
        chance = float(self.curve.at(time))
        return 1 / chance if chance > 0 else np.inf

    def at(self, time: float) -> Floats:
        """Weights at a time (n): 0 for the censored by then, 1/G(T−) for events by then, 1/G(t) for those who go on."""
        later = self.data.time > time
        known = ~later & (self.data.code != CENSORED)
        weight = np.where(known, self.own, 0.0)
        if later.any():
            weight[later] = self.followed(time)
        return weight

    def effect(
        self, share: Floats, *, followed_share: float = 0.0, time: float = np.inf, one_by_one: bool = False
    ) -> Floats:
        """Influence of each row (n) on an estimate by way of G.

        share (n): derivative of the estimate by each row's log 1/G(T−); followed_share: by log 1/G(t), t being `time`.
        Row k moves log 1/G(u) by n·∫₀ᵘ dM_k/Y, M its censoring martingale and Y the number at risk, events of the same
        time included (Blanche et al. 2013, Stat Med 32:5381, appendix A; ties as R's riskRegression::Score).
        one_by_one: those of one time leave one after another in the order of the rows, as R's timeROC has it.
        """
        turn = np.argsort(self.data.time, kind="stable")
        ends, censored = self.data.time[turn], self.data.code[turn] == CENSORED
        ahead = np.append(np.cumsum(share[turn][::-1])[::-1], 0.0)
        place = np.arange(len(ends))
        first = np.searchsorted(ends, ends, side="left")
        behind = place if one_by_one else np.searchsorted(ends, ends, side="right")
        risk = len(ends) - (place if one_by_one else first)
        moved = (ahead[behind] + np.where(ends <= time, followed_share, 0.0)) * len(ends) / risk
        compensator = np.cumsum(np.where(censored, moved / risk, 0.0))
        if not one_by_one:
            compensator = compensator[behind - 1]
        effect = np.empty(len(ends))
        effect[turn] = np.where(censored, moved[first], 0.0) - compensator
        return effect
