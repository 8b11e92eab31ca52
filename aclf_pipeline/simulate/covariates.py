"""True covariates at the reference day: what a perfect laboratory and a perfect bedside would say.

Marginals follow published HBV-ACLF cohorts (n=601, PMC7809456 Table 1: bilirubin 442.5±116.4 µmol/L, INR 2.08
(1.77-2.50), creatinine 81 (69-100) µmol/L, ALT 137 (63-325) U/L; PMC8455926 Table 1: albumin 30.4±5.1 g/L), with the
generator targets of the project's clinical reference. Not here: how a value moves in time (`trajectories`), measurement
error and rounding (`labs`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .population import Person
from .streams import Bools, Floats, stream

UMOL_PER_MG_BILIRUBIN = 17.10
UMOL_PER_MG_CREATININE = 88.40

NUMERIC: tuple[str, ...] = (
    "tbil_umol_l", "dbil_umol_l", "alt_u_l", "ast_u_l", "alb_g_l", "crea_umol_l", "urea_mmol_l", "na_mmol_l",
    "k_mmol_l", "inr", "pta_pct", "wbc_1e9_l", "neut_1e9_l", "lymph_1e9_l", "plt_1e9_l", "hgb_g_l",
    "hbv_dna_log10_iu_ml",
)  # fmt: skip
FLAGS: tuple[str, ...] = ("cirrhosis", "infection", "gi_bleed", "hrs", "hbeag_pos", "alss_before")

# Lowest true values at the diagnosis of ACLF: far enough above the criteria that no measurement error crosses them.
ACLF_INR_FLOOR = 1.80
CN_TBIL_FLOOR = 195.0
APASL_ONLY_TBIL = (112.0, 150.0)
NOT_ACLF_INR_CEILING = 1.30

Covariates = dict[str, Any]


def pta_from_inr(inr: Floats) -> Floats:
    """PTA % that goes with an INR (medicalalgorithms.com, percent prothrombin complex activity from the INR)."""
    return 113.2 / inr**3 - 69.9238 / inr**2 + 57.484 / inr - 0.765


def meld_of(tbil_umol_l: Floats, crea_umol_l: Floats, inr: Floats) -> Floats:
    """MELD, OPTN policy 9.1 (2016), before the sodium term; unrounded, at most 40. Inputs in µmol/L and ratio."""
    tbil = np.maximum(tbil_umol_l / UMOL_PER_MG_BILIRUBIN, 1.0)
    crea = np.clip(crea_umol_l / UMOL_PER_MG_CREATININE, 1.0, 4.0)
    raw = 10 * (0.957 * np.log(crea) + 0.378 * np.log(tbil) + 1.120 * np.log(np.maximum(inr, 1.0)) + 0.643)
    return np.minimum(raw, 40.0)


def _skewed(z: Floats, median: float, low: float, high: float) -> Floats:
    """Log-normal with separate spread below and above the median; `low` and `high` are the 2.5 and 97.5 % points."""
    below = np.asarray(z < 0, dtype=float)
    spread = below * np.log(median / low) + (1 - below) * np.log(high / median)
    return np.asarray(median * np.exp(spread / 1.96 * z))


def _blend(rng: np.random.Generator, severity: Floats, weight: float) -> Floats:
    return weight * severity + np.sqrt(1 - weight**2) * rng.standard_normal(len(severity))


def _draw_aclf(rng: np.random.Generator, n: int) -> Covariates:
    severity = rng.standard_normal(n)
    x: Covariates = {"severity": severity}
    x["age"] = np.clip(43 + 10 * rng.standard_normal(n), 18.6, 76)
    x["cirrhosis"] = rng.random(n) < np.clip(0.55 + 0.008 * (x["age"] - 43), 0.05, 0.95)
    x["tbil_umol_l"] = np.clip(_skewed(_blend(rng, severity, 0.45), 380, 170, 750), 112, 1000)
    x["inr"] = np.clip(_skewed(_blend(rng, severity, 0.45), 2.0, 1.5, 3.5), 1.32, 6.5)
    x["crea_umol_l"] = np.clip(_skewed(_blend(rng, severity, 0.30), 75, 55, 120), 38, 360)
    x["na_mmol_l"] = np.clip(136 + 5 * _blend(rng, -severity, 0.30), 117, 150)
    x["alb_g_l"] = np.clip(31 + 4.5 * _blend(rng, -severity, 0.20), 18, 45)
    x["alt_u_l"] = np.clip(137 * np.exp(1.05 * rng.standard_normal(n)), 12, 3500)
    x["wbc_1e9_l"] = np.clip(6.6 * np.exp(0.42 * _blend(rng, severity, 0.35)), 1.5, 35)
    x["lymph_1e9_l"] = 1.2 * np.exp(0.40 * rng.standard_normal(n))
    x["plt_1e9_l"] = np.clip(np.where(x["cirrhosis"], 80, 115) * np.exp(0.42 * rng.standard_normal(n)), 10, 380)
    x["hgb_g_l"] = np.clip(118 + 18 * rng.standard_normal(n), 55, 180)
    x["hbv_dna_log10_iu_ml"] = np.clip(4.5 + 2 * rng.standard_normal(n), 0.3, 8.6)
    risk = np.exp(0.9 * severity)
    he = rng.random(n) < np.clip(0.27 * risk / risk.mean(), 0, 0.9)
    x["he_grade"] = np.where(he, rng.choice((1, 2, 3, 4), size=n, p=(0.45, 0.31, 0.16, 0.08)), 0)
    has_ascites = rng.random(n) < np.where(x["cirrhosis"], 0.66, 0.42)
    x["ascites"] = np.where(has_ascites, rng.choice((1, 2), size=n, p=(0.55, 0.45)), 0)
    x["infection"] = rng.random(n) < np.clip(0.28 + 0.06 * severity, 0.05, 0.7)
    x["gi_bleed"] = rng.random(n) < 0.04
    x["hrs"] = (x["crea_umol_l"] > 115) & (rng.random(n) < 0.6)
    x["alss_before"] = rng.random(n) < 0.30
    return x


def _draw_mild(rng: np.random.Generator, n: int) -> Covariates:
    x: Covariates = {"severity": rng.standard_normal(n) - 2.0}
    x["age"] = np.clip(45 + 11 * rng.standard_normal(n), 18.6, 80)
    x["cirrhosis"] = rng.random(n) < 0.78
    x["tbil_umol_l"] = np.clip(55 * np.exp(0.6 * rng.standard_normal(n)), 9, 150)
    x["inr"] = np.clip(1.15 + 0.07 * rng.standard_normal(n), 0.95, NOT_ACLF_INR_CEILING)
    x["crea_umol_l"] = np.clip(72 * np.exp(0.18 * rng.standard_normal(n)), 40, 112)
    x["na_mmol_l"] = np.clip(138 + 4 * rng.standard_normal(n), 122, 148)
    x["alb_g_l"] = np.clip(32 + 5 * rng.standard_normal(n), 19, 47)
    x["alt_u_l"] = np.clip(75 * np.exp(0.9 * rng.standard_normal(n)), 9, 1800)
    x["wbc_1e9_l"] = np.clip(5.0 * np.exp(0.4 * rng.standard_normal(n)), 1.3, 20)
    x["lymph_1e9_l"] = 1.2 * np.exp(0.4 * rng.standard_normal(n))
    x["plt_1e9_l"] = np.clip(95 * np.exp(0.5 * rng.standard_normal(n)), 12, 400)
    x["hgb_g_l"] = np.clip(120 + 20 * rng.standard_normal(n), 50, 178)
    x["hbv_dna_log10_iu_ml"] = np.clip(3.8 + 2.1 * rng.standard_normal(n), 0.3, 8.6)
    x["he_grade"] = np.where(rng.random(n) < 0.03, 1, 0)
    has_ascites = x["cirrhosis"] & (rng.random(n) < 0.6)
    x["ascites"] = np.where(has_ascites, rng.choice((1, 2), size=n, p=(0.55, 0.45)), 0)
    x["infection"] = rng.random(n) < 0.12
    x["gi_bleed"] = rng.random(n) < 0.06
    x["hrs"] = np.zeros(n, dtype=bool)
    x["alss_before"] = np.zeros(n, dtype=bool)
    return x


def draw_covariates(persons: list[Person], seed: int) -> Covariates:
    """Covariates of all persons, arrays in the order of `persons`; ages of minors are set here as well.

    Keys: `NUMERIC`, `FLAGS`, age, he_grade, ascites, antiviral, height_cm, weight_kg, and for the index admission
    dx_tbil and dx_inr (true bilirubin and INR on admission, which decide the diagnosis).
    """
    rng = stream(seed, "covariates")
    n = len(persons)
    aclf = np.array([person.aclf for person in persons])
    minor = np.array(["age_under_18" in person.reasons for person in persons])
    sick, mild = _draw_aclf(rng, n), _draw_mild(rng, n)
    x: Covariates = {name: np.where(aclf, sick[name], mild[name]) for name in sick}
    x["age"] = np.where(minor, 14.5 + 3.2 * rng.random(n), x["age"])
    x["hbeag_pos"] = rng.random(n) < 0.40
    x["antiviral"] = rng.choice(("naive", "on", "withdrawn"), size=n, p=(0.62, 0.18, 0.20)).astype(object)
    female = np.array([person.female for person in persons])
    x["height_cm"] = np.round(np.where(female, 158, 169) + 5.5 * rng.standard_normal(n), 0)
    bmi = np.clip(22.8 + 2.6 * rng.standard_normal(n), 16.5, 32)
    x["weight_kg"] = np.round(bmi * (x["height_cm"] / 100) ** 2, 1)
    _set_diagnosis_values(x, persons, aclf, rng)
    _derive(x, rng)
    return x


def _set_diagnosis_values(x: Covariates, persons: list[Person], aclf: Bools, rng: np.random.Generator) -> None:
    """Bilirubin and INR on admission, clearly beyond or clearly short of the criteria.

    Beyond: APASL and CN-2012, or APASL alone for those with bilirubin of 112 to 150 µmol/L and ascites. Where the
    covariates refer to the admission itself they are moved, where they refer to an infusion only the start is.
    """
    n = len(persons)
    infused = np.array([person.infused for person in persons])
    low, high = APASL_ONLY_TBIL
    apasl_only = aclf & (x["tbil_umol_l"] < 195) & (x["ascites"] > 0) & (rng.random(n) < 0.5)
    x["tbil_umol_l"] = np.where(apasl_only, low + (high - low) * rng.random(n), x["tbil_umol_l"])
    at_admission = aclf & ~infused
    x["inr"] = np.where(at_admission, np.maximum(x["inr"], ACLF_INR_FLOOR), x["inr"])
    floor = np.where(apasl_only, low, CN_TBIL_FLOOR)
    x["tbil_umol_l"] = np.where(at_admission, np.maximum(x["tbil_umol_l"], floor), x["tbil_umol_l"])
    ratio_tbil, ratio_inr = rng.uniform(0.75, 1.2, n), rng.uniform(0.9, 1.25, n)
    start = np.where(apasl_only, x["tbil_umol_l"], np.maximum(x["tbil_umol_l"] * ratio_tbil, CN_TBIL_FLOOR))
    x["dx_tbil"] = np.where(aclf & infused, start, x["tbil_umol_l"])
    x["dx_inr"] = np.where(aclf & infused, np.maximum(x["inr"] * ratio_inr, ACLF_INR_FLOOR), x["inr"])
    x["apasl_only"] = apasl_only


def _derive(x: Covariates, rng: np.random.Generator) -> None:
    """Fill what follows from other values."""
    n = len(x["age"])
    x["dbil_umol_l"] = x["tbil_umol_l"] * np.clip(0.72 + 0.05 * rng.standard_normal(n), 0.58, 0.84)
    x["ast_u_l"] = np.clip(x["alt_u_l"] ** 0.85 * np.exp(0.6 + 0.35 * rng.standard_normal(n)), 14, 4000)
    x["urea_mmol_l"] = np.clip(4.8 * (x["crea_umol_l"] / 75) * np.exp(0.35 * rng.standard_normal(n)), 1.2, 45)
    x["k_mmol_l"] = np.clip(4.1 + 0.45 * rng.standard_normal(n), 2.7, 6.0)
    x["pta_ratio"] = np.exp(0.05 * np.clip(rng.standard_normal(n), -2, 2))
    x["pta_pct"] = pta_from_inr(x["inr"]) * x["pta_ratio"]
    x["lymph_1e9_l"] = np.clip(np.minimum(x["lymph_1e9_l"], 0.42 * x["wbc_1e9_l"]), 0.22, 6)
    rest = x["wbc_1e9_l"] * rng.uniform(0.06, 0.10, n)
    x["mono_1e9_l"] = rest
    x["neut_1e9_l"] = x["wbc_1e9_l"] - x["lymph_1e9_l"] - rest
    refresh_scores(x)


def refresh_scores(x: Covariates) -> None:
    """Recompute nlr and meld from the true values in place."""
    x["nlr"] = x["neut_1e9_l"] / x["lymph_1e9_l"]
    x["meld"] = meld_of(x["tbil_umol_l"], x["crea_umol_l"], x["inr"])


def worsen_kidneys(x: Covariates, persons: list[Person], seed: int) -> None:
    """Give the persons with renal dysfunction a creatinine of 150 to 340 µmol/L, and chronic values to match."""
    rng = stream(seed, "kidneys")
    renal = np.array(["renal_dysfunction" in person.reasons for person in persons])
    n = len(persons)
    x["crea_umol_l"] = np.where(renal, 165 * np.exp(0.25 * rng.standard_normal(n)).clip(0.92, 2.0), x["crea_umol_l"])
    x["urea_mmol_l"] = np.where(renal, np.clip(x["crea_umol_l"] / 12, 8, 40), x["urea_mmol_l"])
    x["hrs"] = x["hrs"] & ~renal
    refresh_scores(x)
