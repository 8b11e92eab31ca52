"""Measured laboratory values: truth at the moment of sampling, product effects, assay bias, measurement error.

Each panel function returns one `Measured` per item. Not here: units, decimals, text (`labs`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import lab_items as li
from .clock import SECONDS, day
from .covariates import pta_from_inr
from .lab_tubes import Tubes
from .outcomes import JAFFE_BIAS, MEASUREMENT_CV
from .streams import Bools, Floats, Ints, noise, stream
from .trajectories import Encounters, measured_pta
from .treatments import PLASMA_MODES, Treatment
from .world import World

JAFFE_UNTIL = day(2014, 6, 30)
_JAFFE_TBIL = 250.0
_IL6_FROM = day(2015, 1, 1)


@dataclass(slots=True)
class Measured:
    """Values of one item in some tubes. Where `text` is set it is printed instead of the number."""

    code: str
    tubes: Ints
    values: Floats
    text: list[str] | None = None


@dataclass(slots=True)
class Bench:
    """What the panel functions work on."""

    world: World
    enc: Encounters
    tubes: Tubes
    rng: np.random.Generator
    fade_tbil: Floats  # multiplies bilirubin after artificial liver, shape (tubes,)
    fade_inr: Floats  # multiplies the distance of INR from 1

    def truth(self, name: str, rows: Ints) -> Floats:
        """True values at collection."""
        return self.enc.at(name, self.tubes.encounter[rows], self.tubes.collected[rows] / SECONDS)

    def measured(self, name: str, rows: Ints) -> Floats:
        """Truth with measurement error."""
        return self.error(self.truth(name, rows), name)

    def error(self, true: Floats, name: str) -> Floats:
        """Multiply by 1 + cv · noise."""
        return true * (1 + MEASUREMENT_CV[name] * noise(self.rng, len(true)))

    def person(self, rows: Ints) -> Ints:
        """Positions of the persons."""
        return self.enc.person[self.tubes.encounter[rows]]

    def days(self, rows: Ints) -> Ints:
        """Days of collection."""
        return self.tubes.collected[rows] // SECONDS

    def spread(self, median: float, sigma: float, rows: Ints) -> Floats:
        """Log-normal values."""
        return np.asarray(median * np.exp(sigma * noise(self.rng, len(rows))))

    def has(self, reason: str, rows: Ints) -> Bools:
        """Whether the tubes' persons carry a condition."""
        carriers = np.array([reason in person.reasons for person in self.world.persons])
        return carriers[self.person(rows)]


def product_effects(tubes: Tubes, treatments: list[Treatment]) -> tuple[Floats, Floats]:
    """Factors on bilirubin and on INR − 1 after artificial liver; they fade within about three days."""
    tbil, inr = np.ones(len(tubes.encounter)), np.ones(len(tubes.encounter))
    order = np.argsort(tubes.encounter, kind="stable")
    starts = tubes.encounter[order]
    for treatment in treatments:
        if treatment.category != "人工肝":
            continue
        low, high = np.searchsorted(starts, [treatment.stay, treatment.stay + 1])
        rows = order[low:high]
        since = (tubes.collected[rows] - treatment.end) / SECONDS
        rows, since = rows[(since > 0) & (since < 4)], since[(since > 0) & (since < 4)]
        tbil[rows] = np.minimum(tbil[rows], 1 - treatment.drop * np.exp(-since / 2.0))
        if treatment.mode in PLASMA_MODES:
            inr[rows] = np.minimum(inr[rows], 1 - 0.35 * np.exp(-since / 1.2))
    return tbil, inr


def liver(bench: Bench) -> list[Measured]:
    """肝功能: bilirubins add up, albumin and globulin add up to total protein."""
    rows = bench.tubes.where(li.LIVER)
    tbil = np.round(bench.error(bench.truth("tbil_umol_l", rows) * bench.fade_tbil[rows], "tbil_umol_l"), 1)
    ratio = bench.enc.dbil_ratio[bench.tubes.encounter[rows]]
    dbil = np.round(np.minimum(tbil * ratio * (1 + 0.02 * noise(bench.rng, len(rows))), tbil * 0.97), 1)
    alb = np.round(bench.measured("alb_g_l", rows), 1)
    glo = np.round(np.clip(30 + 5 * noise(bench.rng, len(rows)), 16, 55), 1)
    severity = tbil / 300
    values = {
        "TBIL": tbil,
        "DBIL": dbil,
        "IBIL": tbil - dbil,
        "ALT": bench.measured("alt_u_l", rows),
        "AST": bench.measured("ast_u_l", rows),
        "ALP": bench.spread(140, 0.3, rows),
        "GGT": bench.spread(75, 0.55, rows),
        "CHE": np.clip(4200 - 900 * np.minimum(severity, 2) + 700 * noise(bench.rng, len(rows)), 600, 12000),
        "TP": alb + glo,
        "ALB": alb,
        "GLO": glo,
        "TBA": np.clip(bench.spread(110, 0.5, rows) * np.sqrt(severity), 2, 480),
    }
    return [Measured(code, rows, value) for code, value in values.items()]


def kidney(bench: Bench) -> list[Measured]:
    """肾功电解质. Creatinine by Jaffe until 2014-06-30 is 10 % low in icteric serum."""
    rows = bench.tubes.where(li.KIDNEY)
    icteric = bench.truth("tbil_umol_l", rows) * bench.fade_tbil[rows] >= _JAFFE_TBIL
    jaffe = (bench.days(rows) <= JAFFE_UNTIL) & icteric
    crea = bench.measured("crea_umol_l", rows) * np.where(jaffe, 1 + JAFFE_BIAS, 1.0)
    na = bench.measured("na_mmol_l", rows)
    n = len(rows)
    values = {
        "CREA": crea,
        "UREA": bench.measured("urea_mmol_l", rows),
        "UA": np.clip(bench.spread(245, 0.3, rows), 60, 900),
        "K": bench.measured("k_mmol_l", rows),
        "NA": na,
        "CL": na - 36 + 2.0 * noise(bench.rng, n),
        "CO2CP": np.clip(23 + 2.5 * noise(bench.rng, n), 10, 34),
        "CA": np.clip(2.15 + 0.12 * noise(bench.rng, n), 1.6, 2.8),
        "GLU": np.clip(bench.spread(5.2, 0.28, rows), 2.3, 22),
    }
    return [Measured(code, rows, value) for code, value in values.items()]


def clot(bench: Bench) -> list[Measured]:
    """凝血: INR, and PTA and PT that go with it."""
    rows = bench.tubes.where(li.CLOT)
    true = 1 + (bench.truth("inr", rows) - 1) * bench.fade_inr[rows]
    inr = np.round(np.clip(bench.error(true, "inr"), 0.85, 11), 2)
    ratio = bench.enc.pta_ratio[bench.tubes.encounter[rows]]
    pta_true = np.clip(pta_from_inr(np.clip(true, 0.8, 12)) * ratio, 4, 130)
    scatter = MEASUREMENT_CV["pta_pct"] * noise(bench.rng, len(rows))
    n = len(rows)
    values = {
        "PT": np.clip(11.2 * inr ** (1 / 1.08) * (1 + 0.01 * noise(bench.rng, n)), 9, 145),
        "PTA": np.clip(measured_pta(inr, pta_true, scatter), 4, 140),
        "INR": inr,
        "APTT": np.clip(33 + 11 * (inr - 1) + 3 * noise(bench.rng, n), 22, 200),
        "FIB": np.clip(2.3 - 0.45 * (inr - 1) + 0.35 * noise(bench.rng, n), 0.3, 6),
        "DD": np.clip(bench.spread(1.6, 0.7, rows), 0.1, 40),
    }
    return [Measured(code, rows, value) for code, value in values.items()]


def blood(bench: Bench) -> list[Measured]:
    """血常规: counts and shares of one tube agree."""
    rows = bench.tubes.where(li.BLOOD)
    n = len(rows)
    neut, lymph, mono = (bench.truth(name, rows) for name in ("neut_1e9_l", "lymph_1e9_l", "mono_1e9_l"))
    shared = noise(bench.rng, n)
    own = 0.8 * shared + 0.6 * noise(bench.rng, n)
    wbc = np.round((neut + lymph + mono) * (1 + MEASUREMENT_CV["wbc_1e9_l"] * shared), 2)
    lymph = np.round(np.maximum(lymph * (1 + MEASUREMENT_CV["lymph_1e9_l"] * noise(bench.rng, n)), 0.1), 2)
    neut = np.round(np.minimum(neut * (1 + MEASUREMENT_CV["neut_1e9_l"] * own), (wbc - lymph) * 0.99), 2)
    hgb = bench.measured("hgb_g_l", rows)
    plt = bench.measured("plt_1e9_l", rows)
    values = {
        "WBC": wbc, "NEU#": neut, "NEU%": neut / wbc * 100, "LYM#": lymph, "LYM%": lymph / wbc * 100,
        "MON#": np.maximum(0.6 * (wbc - neut - lymph) * (1 + 0.15 * noise(bench.rng, n)), 0.02), "HGB": hgb,
        "HCT": hgb * 0.298 * (1 + 0.01 * noise(bench.rng, n)), "PLT": plt,
        "PCT": np.clip(plt * 0.00105 * (1 + 0.08 * noise(bench.rng, n)), 0.01, 0.6),
    }  # fmt: skip
    return [Measured(code, rows, value) for code, value in values.items()]


def infection(bench: Bench) -> list[Measured]:
    """感染: CRP, procalcitonin, from 2015 interleukin 6."""
    rows = bench.tubes.where(li.INFECTION)
    infected = np.asarray(bench.world.x["infection"])[bench.person(rows)]
    late = rows[bench.days(rows) >= _IL6_FROM]
    return [
        Measured("CRP", rows, bench.spread(9, 1.0, rows) * np.where(infected, 4.5, 1.0)),
        Measured("PROCT", rows, bench.spread(0.35, 0.9, rows) * np.where(infected, 4.0, 1.0)),
        Measured("IL6", late, bench.spread(28, 0.9, late)),
    ]


def hepatitis_b(bench: Bench) -> list[Measured]:
    """乙肝: every patient is HBsAg positive; e antigen and antibody are complementary, antibody assays competitive."""
    rows = bench.tubes.where(li.HBV)
    n = len(rows)
    e_positive = np.asarray(bench.world.x["hbeag_pos"])[bench.person(rows)]
    eag = np.where(e_positive, np.clip(bench.spread(90, 1.2, rows), 1.6, 1500), bench.rng.uniform(0.08, 0.6, n))
    eab = np.where(e_positive, bench.rng.uniform(1.3, 2.6, n), bench.rng.uniform(0.01, 0.7, n))
    return [
        Measured("HBSAG", rows, np.clip(bench.spread(2600, 0.6, rows), 120, 9000)),
        Measured("HBSAB", rows, bench.rng.uniform(0.1, 8.5, n)),
        Measured("HBEAG", rows, eag),
        Measured("HBEAB", rows, eab),
        Measured("HBCAB", rows, bench.rng.uniform(0.004, 0.09, n)),
    ]


def hbv_dna(bench: Bench) -> list[Measured]:
    """HBV-DNA in IU/mL; kit, limits and unit are the printer's business. Error acts on the log10 value."""
    rows = bench.tubes.where(li.DNA)
    return [Measured("HBVDNA", rows, 10 ** bench.measured("hbv_dna_log10_iu_ml", rows))]


def screening(bench: Bench) -> list[Measured]:
    """筛查: abnormal only in those who carry the condition."""
    rows = bench.tubes.where(li.SCREEN)
    n = len(rows)
    rng = bench.rng
    hcv, thyroid, immune = (bench.has(name, rows) for name in ("hcv", "thyroid_disease", "hiv_or_immunodeficiency"))
    persons = bench.world.persons
    who = bench.person(rows)
    hiv = immune & np.array([persons[i].immune_kind == "hiv" for i in who], dtype=bool)
    hyper = thyroid & np.array([persons[i].thyroid_kind == "hyper" for i in who], dtype=bool)
    hypo = thyroid & ~hyper
    women = np.array(
        [
            persons[i].female and 15 <= (d - persons[i].birth) / 365.25 < 50
            for i, d in zip(who, bench.days(rows), strict=True)
        ],
        dtype=bool,
    )
    pregnant = np.array([persons[i].pregnancy_kind == "pregnancy" for i in who], dtype=bool)
    tested = np.flatnonzero(women | pregnant)
    pending = ~hiv & (rng.random(n) < 0.003)
    hiv_values = np.where(hiv, rng.uniform(8, 300, n), rng.uniform(0.05, 0.5, n))
    found = [
        Measured("HCVAB", rows, np.where(hcv, rng.uniform(3, 16, n), rng.uniform(0.02, 0.5, n))),
        Measured("HCVRNA", rows[hcv], 10 ** rng.uniform(4, 6.5, int(hcv.sum()))),
        Measured("HIVAB", rows[~pending], hiv_values[~pending]),
        Measured("HIVAB", rows[pending], np.full(int(pending.sum()), np.nan), ["待确认"] * int(pending.sum())),
        Measured("AFP", rows, np.clip(bench.spread(55, 1.3, rows), 1.1, 20_000)),
    ]
    tsh = np.where(
        hyper, rng.uniform(0.002, 0.04, n), np.where(hypo, rng.uniform(12, 60, n), rng.uniform(0.45, 4.2, n))
    )
    ft4 = np.where(hyper, rng.uniform(32, 70, n), np.where(hypo, rng.uniform(3.5, 7.5, n), rng.uniform(10, 20.5, n)))
    found += [
        Measured("TSH", rows, tsh),
        Measured("FT4", rows, ft4),
        Measured("FT3", rows, np.where(hyper, rng.uniform(10, 25, n), rng.uniform(2.2, 5.5, n))),
        Measured(
            "HCG", rows[tested], np.where(pregnant, rng.uniform(800, 90_000, n), rng.uniform(0.1, 2.8, n))[tested]
        ),
    ]
    return found


def blood_groups(world: World) -> NDArray[np.str_]:
    """ABO group of every person."""
    draw = stream(world.seed, "blood-groups")
    return draw.choice(("A", "B", "O", "AB"), size=len(world.persons), p=(0.28, 0.26, 0.39, 0.07))


def others(bench: Bench) -> list[Measured]:
    """血氨, 血气, 血型 and ascitic fluid."""
    rng = bench.rng
    nh3, gas, group, fluid = (bench.tubes.where(name) for name in (li.AMMONIA, li.GAS, li.GROUP, li.FLUID))
    grade = np.asarray(bench.world.x["he_grade"])[bench.person(nh3)]
    abo = blood_groups(bench.world)
    rhd = np.where(stream(bench.world.seed, "rhesus").random(len(abo)) < 0.004, "阴性", "阳性")
    who = bench.person(group)
    blank = np.full(len(group), np.nan)
    return [
        Measured("NH3", nh3, np.clip(bench.spread(38, 0.35, nh3) * (1 + 0.35 * grade), 8, 380)),
        Measured("LAC", gas, np.clip(bench.spread(2.1, 0.45, gas), 0.6, 18)),
        Measured("PH", gas, np.clip(7.42 + 0.05 * noise(rng, len(gas)), 7.05, 7.6)),
        Measured("PO2", gas, np.clip(88 + 14 * noise(rng, len(gas)), 45, 240)),
        Measured("FIO2", gas, rng.choice((21.0, 29.0, 33.0, 41.0), size=len(gas), p=(0.6, 0.2, 0.13, 0.07))),
        Measured("ABO", group, blank, [str(v) for v in abo[who]]),
        Measured("RHD", group, blank, [str(v) for v in rhd[who]]),
        Measured("F:ALB", fluid, np.clip(8 + 3 * noise(rng, len(fluid)), 1.5, 20)),
        Measured("F:TP", fluid, np.clip(16 + 5 * noise(rng, len(fluid)), 4, 45)),
        Measured("F:WBC", fluid, np.clip(bench.spread(0.22, 0.8, fluid), 0.02, 8)),
        Measured("F:NEU%", fluid, np.clip(30 + 18 * noise(rng, len(fluid)), 2, 95)),
    ]


PANEL_FUNCTIONS: tuple[Callable[[Bench], list[Measured]], ...] = (
    liver, kidney, clot, blood, infection, hepatitis_b, hbv_dna, screening, others,
)  # fmt: skip


def measure(world: World, enc: Encounters, tubes: Tubes, treatments: list[Treatment]) -> list[Measured]:
    """All items of all tubes."""
    bench = Bench(world, enc, tubes, stream(world.seed, "bench"), *product_effects(tubes, treatments))
    return [found for panel in PANEL_FUNCTIONS for found in panel(bench)]
