"""The hazards that make the events, their calibration and the latent times drawn from them.

Death: piecewise constant baseline × exp(eta); transplant likewise and competing; loss to follow-up independent of
everything. Log hazard ratios are those of PMC8579631 Table 2 (age, encephalopathy, INR, NLR, creatinine) and set for
this simulator otherwise. Not here: where and how an event is written down (`course`, `deaths`, `followup`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .covariates import Covariates
from .streams import Bools, Floats, stream

WEEKS_24 = 168.0
WEEKS_48 = 336.0
TARGET_DEATH_24W = 0.268
TARGET_TRANSPLANT_24W = 0.06
TARGET_LOST_48W = 0.12
SCALE_ELIGIBLE = 446

Term = dict[str, Any]
DEATH_TERMS: tuple[Term, ...] = (
    {"name": "age_years", "centre": 43, "log_hr": 0.030},
    {"name": "he_grade", "transform": "gt0", "centre": 0, "log_hr": 1.635, "until_day": 90, "log_hr_after": 0.80},
    {"name": "inr", "centre": 2.0, "log_hr": 0.397},
    {"name": "nlr", "cap": 30, "centre": 4, "log_hr": 0.065},
    {"name": "crea_umol_l", "centre": 75, "log_hr": 0.0027},
    {"name": "tbil_umol_l", "centre": 380, "log_hr": 0.0015},
    {"name": "na_mmol_l", "centre": 136, "log_hr": -0.05},
    {"name": "cirrhosis", "centre": 0, "log_hr": 0.45},
    {"name": "infection", "centre": 0, "log_hr": 0.50},
    {"name": "ascites", "transform": "ge2", "centre": 0, "log_hr": 0.30},
    {"name": "antiviral", "transform": "eq:withdrawn", "centre": 0, "log_hr": 0.45},
    {"name": "hbv_dna_log10_iu_ml", "centre": 4.5, "log_hr": 0.0},
    {"name": "hbeag_pos", "centre": 0, "log_hr": 0.0},
    {"name": "alt_u_l", "transform": "log", "centre": 4.9, "log_hr": 0.0},
    {"name": "sex", "transform": "eq:male", "centre": 0, "log_hr": 0.0},
)
TRANSPLANT_TERMS: tuple[Term, ...] = (
    {"name": "meld", "centre": 26, "log_hr": 0.10},
    {"name": "he_grade", "transform": "gt0", "centre": 0, "log_hr": 0.80},
    {"name": "age_years", "centre": 43, "log_hr": -0.03},
)
DEATH_BREAKS = (0, 14, 28, 56, 90, 168, 336)
TRANSPLANT_BREAKS = (0, 28, 90, 168)
LOST_BREAKS = (0, 168)
AFTER_TRANSPLANT_RATE = 0.0005
MEASUREMENT_CV: dict[str, float] = {
    "tbil_umol_l": 0.04, "dbil_umol_l": 0.04, "alt_u_l": 0.05, "ast_u_l": 0.05, "alb_g_l": 0.03, "crea_umol_l": 0.05,
    "urea_mmol_l": 0.05, "na_mmol_l": 0.008, "k_mmol_l": 0.03, "inr": 0.05, "pta_pct": 0.04, "wbc_1e9_l": 0.03,
    "neut_1e9_l": 0.03, "lymph_1e9_l": 0.04, "plt_1e9_l": 0.05, "hgb_g_l": 0.02, "hbv_dna_log10_iu_ml": 0.03,
}  # fmt: skip
JAFFE_BIAS = -0.10
_DEATH_SHAPE = np.array([1.0, 0.95, 0.75, 0.50, 0.25, 0.10, 0.03])
_TRANSPLANT_SHAPE = np.array([1.0, 0.60, 0.22, 0.04])
_LOST_SHAPE = np.array([1.0, 0.85])


@dataclass(slots=True)
class Hazards:
    """Calibrated baseline rates per day."""

    death: Floats = field(default_factory=lambda: np.zeros(len(DEATH_BREAKS)))
    transplant: Floats = field(default_factory=lambda: np.zeros(len(TRANSPLANT_BREAKS)))
    lost: Floats = field(default_factory=lambda: np.zeros(len(LOST_BREAKS)))
    before_second: float = 0.0


def _transformed(term: Term, values: Any) -> Floats:
    kind = term.get("transform", "")
    if kind.startswith("eq:"):
        return np.asarray(values == kind[3:], dtype=float)
    x = np.minimum(np.asarray(values, dtype=float), term.get("cap", np.inf))
    if kind == "gt0":
        return (x > 0).astype(float)
    if kind == "ge2":
        return (x >= 2).astype(float)
    return np.log(x) if kind == "log" else x


def linear_predictor(terms: tuple[Term, ...], x: Covariates, *, late: bool = False) -> Floats:
    """Σ log HR × (x − centre), one value per person; `late` takes the log hazard ratios after `until_day`."""
    total = np.zeros(len(x["age_years"]))
    for term in terms:
        effect = term.get("log_hr_after", term["log_hr"]) if late else term["log_hr"]
        total += effect * (_transformed(term, x[term["name"]]) - term["centre"])
    return total


def invert(exposure: Floats, rates: Floats, breaks: tuple[int, ...], multiplier: Floats) -> Floats:
    """Times at which cumulative hazards reach `exposure` (unit exponentials): shape (n,).

    `multiplier` has shape (n, len(breaks)): exp(eta) of each person in each interval.
    """
    left, time = exposure.copy(), np.full(len(exposure), np.nan)
    for i, start in enumerate(breaks):
        width = breaks[i + 1] - start if i + 1 < len(breaks) else np.inf
        rate = rates[i] * multiplier[:, i]
        here = np.isnan(time) & (left <= rate * width)
        time[here] = start + left[here] / rate[here]
        left = left - rate * width if np.isfinite(width) else left
    return time


def death_multiplier(eta: Floats, eta_late: Floats) -> Floats:
    """exp(eta) per interval of the death baseline; the late predictor holds from the 90-day break on."""
    late = np.array(DEATH_BREAKS) >= 90
    return np.exp(np.where(late[None, :], eta_late[:, None], eta[:, None]))


@dataclass(slots=True)
class Draws:
    """Predictors and unit exponentials of the persons who reach time zero; all of shape (n,)."""

    eta: Floats
    eta_late: Floats
    eta_transplant: Floats
    e_death: Floats
    e_transplant: Floats
    e_lost: Floats
    t_admin: Floats

    def times(self, hazards: Hazards) -> tuple[Floats, Floats, Floats]:
        """Latent days to death, transplant and loss."""
        flat = np.exp(self.eta_transplant)[:, None].repeat(len(TRANSPLANT_BREAKS), axis=1)
        return (
            invert(self.e_death, hazards.death, DEATH_BREAKS, death_multiplier(self.eta, self.eta_late)),
            invert(self.e_transplant, hazards.transplant, TRANSPLANT_BREAKS, flat),
            invert(self.e_lost, hazards.lost, LOST_BREAKS, np.ones((len(self.e_lost), len(LOST_BREAKS)))),
        )


def draw_exposures(x: Covariates, t_admin: Floats, seed: int) -> Draws:
    """Predictors of the given persons and their unit exponentials."""
    rng = stream(seed, "events")
    n = len(t_admin)
    return Draws(
        linear_predictor(DEATH_TERMS, x),
        linear_predictor(DEATH_TERMS, x, late=True),
        linear_predictor(TRANSPLANT_TERMS, x),
        rng.standard_exponential(n),
        rng.standard_exponential(n),
        rng.standard_exponential(n),
        t_admin,
    )


def _calibration_set(draws: Draws, eligible: Bools, seed: int) -> Draws:
    """The eligible as drawn; in a small population, copies of them with fresh exponentials up to about 446."""
    rng = stream(seed, "calibration")
    copies = max(1, round(SCALE_ELIGIBLE / max(1, int(eligible.sum()))))
    fixed = [np.tile(v[eligible], copies) for v in (draws.eta, draws.eta_late, draws.eta_transplant)]
    fresh = [rng.standard_exponential(len(fixed[0])) for _ in range(3)]
    own = (draws.e_death, draws.e_transplant, draws.e_lost)
    for drawn, mine in zip(fresh, own, strict=True):
        drawn[: int(eligible.sum())] = mine[eligible]
    return Draws(fixed[0], fixed[1], fixed[2], fresh[0], fresh[1], fresh[2], np.tile(draws.t_admin[eligible], copies))


def kaplan_meier_at(time: Floats, happened: Bools, horizon: float) -> float:
    """Kaplan-Meier probability of the event by `horizon`."""
    order = np.argsort(time, kind="stable")
    at_risk = len(time) - np.arange(len(time))
    steps = np.where(happened[order] & (time[order] <= horizon), 1 - 1 / at_risk, 1.0)
    return float(1 - np.prod(steps))


def _bisect(measure: Any, target: float, low: float, high: float) -> float:
    for _ in range(28):
        middle = np.sqrt(low * high)
        if measure(middle) < target:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def calibrate(draws: Draws, eligible: Bools, before_second: float, seed: int) -> Hazards:
    """Baseline rates with which the drawn eligible persons meet the targets of the specification.

    24-week death 0.268 (Kaplan-Meier, transplant censored), transplant by 24 weeks 6 % and loss by 48 weeks 12 %
    (crude shares). The three scales are found in turn, four rounds, because the events compete.
    """
    known = _calibration_set(draws, eligible, seed)

    def shares(trial: Hazards) -> tuple[float, float, float]:
        death, graft, lost = known.times(trial)
        first = np.minimum(np.minimum(death, graft), np.minimum(lost, known.t_admin))
        return (
            kaplan_meier_at(first, death == first, WEEKS_24),
            float(np.mean((graft == first) & (graft <= WEEKS_24))),
            float(np.mean((lost == first) & (lost <= WEEKS_48))),
        )

    scales = [2e-3, 5e-4, 4e-4]
    targets = (TARGET_DEATH_24W, TARGET_TRANSPLANT_24W, TARGET_LOST_48W)
    for which in (0, 1, 2) * 4:

        def measure(scale: float, which: int = which) -> float:
            trial = [scale if i == which else known_scale for i, known_scale in enumerate(scales)]
            return shares(_scaled(trial, before_second))[which]

        scales[which] = _bisect(measure, targets[which], 1e-6, 0.1)
    return _scaled(scales, before_second)


def _scaled(scales: list[float], before_second: float) -> Hazards:
    """Baselines of fixed shape at the given scales of death, transplant and loss."""
    death, transplant, lost = scales
    return Hazards(_DEATH_SHAPE * death, _TRANSPLANT_SHAPE * transplant, _LOST_SHAPE * lost, before_second)


def deaths_before_second(eta: Floats, gap_days: Floats, wanted: int, seed: int) -> tuple[Floats, Bools, float]:
    """Days from first infusion to death under the rate at which exactly `wanted` persons die before the second.

    Returns (times, who dies before the second infusion, rate per day). The rate lies between the `wanted`-th and the
    next order statistic of exposure / (exp(eta) × gap).
    """
    exposure = stream(seed, "before-second").standard_exponential(len(eta))
    needed = exposure / (np.exp(eta) * gap_days)
    order = np.sort(needed)
    above = order[wanted] if wanted < len(order) else order[wanted - 1] * 1.1
    rate = float(np.sqrt(order[wanted - 1] * above))
    times = exposure / (rate * np.exp(eta))
    return times, times < gap_days, rate


def model_page(hazards: Hazards, seed: int, profile: str, n_persons: int) -> dict[str, Any]:
    """`truth/model.json`: everything that made the events."""
    return {
        "seed": seed, "profile": profile, "n_persons": n_persons, "as_of": "2019-10-31", "time_unit": "day",
        "time_zero": "second_infusion",
        "death": {
            "baseline": {"kind": "piecewise_constant", "breaks": list(DEATH_BREAKS), "rates": hazards.death.tolist()},
            "terms": list(DEATH_TERMS),
        },
        "transplant": {
            "baseline": {
                "kind": "piecewise_constant", "breaks": list(TRANSPLANT_BREAKS), "rates": hazards.transplant.tolist(),
            },
            "terms": list(TRANSPLANT_TERMS),
        },
        "lost": {
            "baseline": {"kind": "piecewise_constant", "breaks": list(LOST_BREAKS), "rates": hazards.lost.tolist()},
            "terms": [],
        },
        "before_second_infusion": {
            "clock": "first_infusion", "death_rate_per_day": hazards.before_second, "terms": "as death",
        },
        "after_transplant": {"death_rate_per_day": AFTER_TRANSPLANT_RATE},
        "frailty": {"by": "infusion_batch", "variance": 0.0},
        "infusion_effect": {"per_infusion_log_hr": 0.0, "dose_log_hr": 0.0},
        "measurement": {"cv": MEASUREMENT_CV, "jaffe_bias": JAFFE_BIAS},
    }  # fmt: skip
