"""True laboratory values in time: for each encounter (stay or visit) a start, a plateau at the reference day, an end.

Between the knots values move log-linearly. On the plateau (three days up to the reference day, and that day) they are
the person's true covariates. Not here: measurement error, product effects (`lab_values`), which day is sampled
(`lab_tubes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clock import SECONDS
from .covariates import NOT_ACLF_INR_CEILING, NUMERIC, pta_from_inr
from .streams import Floats, Ints, stream
from .world import World

# Everything that moves. PTA, direct bilirubin and the white count follow from others.
_DERIVED = ("pta_pct", "dbil_umol_l", "wbc_1e9_l")
MOVING: tuple[str, ...] = (*(name for name in NUMERIC if name not in _DERIVED), "mono_1e9_l")
_BETTER: dict[str, float] = {
    "tbil_umol_l": 0.42, "alt_u_l": 0.40, "ast_u_l": 0.45, "crea_umol_l": 0.97, "urea_mmol_l": 0.95, "inr": 0.75,
    "alb_g_l": 1.05, "plt_1e9_l": 1.10, "neut_1e9_l": 0.80, "lymph_1e9_l": 1.05,
}  # fmt: skip
_WORSE: dict[str, float] = {
    "tbil_umol_l": 1.30, "alt_u_l": 0.70, "ast_u_l": 0.90, "crea_umol_l": 1.90, "urea_mmol_l": 2.2, "inr": 1.60,
    "alb_g_l": 0.93, "plt_1e9_l": 0.70, "neut_1e9_l": 1.8, "lymph_1e9_l": 0.8, "na_mmol_l": 0.975,
    "k_mmol_l": 1.12, "hgb_g_l": 0.85,
}  # fmt: skip
_LIMITS: dict[str, tuple[float, float]] = {
    "tbil_umol_l": (7, 1150),
    "inr": (0.92, 9),
    "crea_umol_l": (35, 650),
    "na_mmol_l": (115, 152),
    "k_mmol_l": (2.5, 6.6),
    "urea_mmol_l": (1.2, 55),
    "alb_g_l": (16, 50),
    "hgb_g_l": (40, 182),
    "plt_1e9_l": (6, 420),
    "neut_1e9_l": (0.4, 40),
    "lymph_1e9_l": (0.15, 6),
    "alt_u_l": (8, 4000),
    "ast_u_l": (10, 4500),
    "hbv_dna_log10_iu_ml": (0.2, 8.8),
    "mono_1e9_l": (0.03, 2.5),
}
RENAL_CHRONIC = (150.0, 230.0)


@dataclass(slots=True)
class Encounters:
    """Stays, then visits: one row each. Knots are day numbers, values shape (encounters,) per name."""

    person: Ints
    stay: Ints  # position in World.stays, −1 for a visit
    knots: Floats  # shape (encounters, 4)
    values: dict[str, Floats]  # shape (encounters, 3): start, plateau, end
    pta_ratio: Floats
    dbil_ratio: Floats
    renal_visit: Ints
    first_second: Ints
    last_second: Ints

    def at(self, name: str, encounter: Ints, days: Floats) -> Floats:
        """True values of `name` at fractional days, vectorised; shape of `encounter`."""
        t0, t1, t2, t3 = (self.knots[encounter, i] for i in range(4))
        v = self.values[name][encounter]
        before = np.clip((days - t0) / np.maximum(t1 - t0, 1e-9), 0, 1)
        after = np.clip((days - t2) / np.maximum(t3 - t2, 1e-9), 0, 1)
        logs = np.log(v)
        rising = logs[:, 0] + before * (logs[:, 1] - logs[:, 0])
        return np.exp(rising + after * (logs[:, 2] - logs[:, 1]))


def build_encounters(world: World) -> Encounters:
    """Knots and values of all stays and visits."""
    rng = stream(world.seed, "trajectories")
    stays, visits = world.stays, world.visits
    len(stays) + len(visits)
    person = np.array([s.person for s in stays] + [v.person for v in visits], dtype=np.int64)
    stay = np.array(list(range(len(stays))) + [-1] * len(visits), dtype=np.int64)
    first = np.array([s.adm for s in stays] + [v.at for v in visits], dtype=np.int64)
    last = np.array([s.dis for s in stays] + [v.at for v in visits], dtype=np.int64)
    role = np.array([s.role for s in stays] + [f"visit_{v.kind}" for v in visits])
    reference = np.array([p.reference for p in world.persons])[person]
    died = np.array([s.dead or s.end == "against" for s in stays] + [False] * len(visits))
    values = {name: _values(world, name, person, role, died, rng) for name in MOVING}
    _chronic_kidneys(world, values, person, role, rng)
    aclf_stay = np.array([s.aclf for s in stays] + [False] * len(visits))
    calm = ~aclf_stay
    values["inr"][calm] = np.minimum(values["inr"][calm], NOT_ACLF_INR_CEILING)
    for name, (low, high) in _LIMITS.items():
        values[name] = np.clip(values[name], low, high)
    return Encounters(
        person, stay, _knots(first, last, reference), values,
        world.x["pta_ratio"][person], (world.x["dbil_umol_l"] / world.x["tbil_umol_l"])[person],
        (role == "visit_renal").astype(np.int64), first, last,
    )  # fmt: skip


def _knots(first: Ints, last: Ints, reference: Ints) -> Floats:
    """Start, plateau from three days before the reference day to its end, end of the encounter."""
    t0, t3 = first // SECONDS, last // SECONDS + 1.0
    inside = (reference >= t0) & (reference <= t3)
    t1 = np.where(inside, np.maximum(reference - 3.0, t0), t0)
    t2 = np.where(inside, np.minimum(reference + 1.0, t3), t0 + np.minimum(3.0, (t3 - t0) / 2))
    return np.stack([t0.astype(float), t1, t2, t3], axis=1)


def _values(
    world: World, name: str, person: Ints, role: np.ndarray, died: np.ndarray, rng: np.random.Generator
) -> Floats:
    """Start, plateau and end of one variable for all encounters."""
    x = np.asarray(world.x[name], dtype=float)[person]
    start = {"tbil_umol_l": world.x["dx_tbil"], "inr": world.x["dx_inr"]}.get(name)
    at_start = x if start is None else np.asarray(start, dtype=float)[person]
    if start is None:
        at_start = x * np.exp(_drift(name) * rng.standard_normal(len(x)))
    uninfused = np.array([not p.infused for p in world.persons])[person]
    at_start = np.where(uninfused, x, at_start)
    calm = _calm(name, x, rng)
    main = np.isin(role, ("index", "second"))
    plateau = np.where(main | (role == "terminal"), x, calm)
    at_start = np.where(role == "index", at_start, plateau)
    end = np.where(died, plateau * _WORSE.get(name, 1.0), plateau * _BETTER.get(name, 1.0))
    end = np.where(main | (role == "terminal"), end, plateau)
    if name == "inr":
        better = 1 + (plateau - 1) * 0.55
        end = np.where(main & ~died, better, end)
    return np.stack([at_start, plateau, end], axis=1)


def _drift(name: str) -> float:
    return {"alt_u_l": 0.35, "ast_u_l": 0.35, "na_mmol_l": 0.01, "hbv_dna_log10_iu_ml": 0.05, "k_mmol_l": 0.05}.get(
        name, 0.08
    )


def _calm(name: str, x: Floats, rng: np.random.Generator) -> Floats:
    """Values of a person out of the acute phase: earlier visits and stays, readmissions."""
    n = len(x)
    z = rng.standard_normal(n)
    if name == "tbil_umol_l":
        return np.asarray(np.clip(26 * np.exp(0.5 * z), 8, 75))
    if name == "inr":
        return np.asarray(np.clip(1.10 + 0.06 * z, 0.95, 1.27))
    if name == "crea_umol_l":
        return np.asarray(np.clip(72 * np.exp(0.15 * z), 42, 106))
    if name in ("alt_u_l", "ast_u_l"):
        return np.asarray(np.clip(48 * np.exp(0.5 * z), 12, 300))
    if name == "hbv_dna_log10_iu_ml":
        return np.asarray(np.clip(x - 1.2 + 0.8 * z, 0.3, 8.5))
    centre = {"alb_g_l": 37, "na_mmol_l": 139, "k_mmol_l": 4.1, "hgb_g_l": 125, "urea_mmol_l": 4.8}.get(name)
    return np.asarray(x * np.exp(0.1 * z) if centre is None else centre * np.exp(0.04 * z))


def _chronic_kidneys(
    world: World, values: dict[str, Floats], person: Ints, role: np.ndarray, rng: np.random.Generator
) -> None:
    """Persons with renal dysfunction are never free of it; their other encounters show it too."""
    renal = np.array(["renal_dysfunction" in p.reasons for p in world.persons])[person]
    elsewhere = renal & ~np.isin(role, ("index", "second", "terminal"))
    low, high = RENAL_CHRONIC
    drawn = rng.uniform(low, high, len(person))
    values["crea_umol_l"] = np.where(elsewhere[:, None], drawn[:, None], values["crea_umol_l"])


def measured_pta(inr_measured: Floats, pta_true: Floats, scatter: Floats) -> Floats:
    """Printed PTA before rounding, within 25 % of what the measured INR implies (`clinical reference`, INR and PTA)."""
    implied = pta_from_inr(np.clip(inr_measured, 0.8, 12))
    return np.clip(pta_true * (1 + scatter), implied * 0.75, implied * 1.25)
