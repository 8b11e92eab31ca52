"""What a stay is called and coded on the front page. Pure functions of the truth.

Code pairs are (form of 2011, form of 2001). Not here: layout of the front page (`front_page`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .course import Stay
from .population import Person

PRESENT, AROSE = "1", "4"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Name, code by form, and condition on admission (1 present, 4 arose after admission)."""

    name: str
    code: str
    old_code: str
    on_admission: str = PRESENT


_ACLF = (
    Diagnosis("慢加急性肝衰竭", "K72.000", "K72.0"),
    Diagnosis("慢加急性肝衰竭", "K72.900x001", "K72.9"),
    Diagnosis("慢加亚急性肝衰竭", "K72.100", "K72.1"),
    Diagnosis("慢性重型肝炎", "K72.900x001", "K72.9"),
    Diagnosis("慢性重型肝炎", "K72.100", "K72.1"),
)
INSUFFICIENCY = Diagnosis("肝功能不全", "K72.905", "K72.905")
CHRONIC_B = Diagnosis("慢性乙型病毒性肝炎", "B18.101", "B18.101")
CHRONIC_B_SHORT = Diagnosis("慢性乙型病毒性肝炎", "B18.100", "B18.1")
ACUTE_B = Diagnosis("急性乙型病毒性肝炎", "B16.900", "B16.9")
_CIRRHOSIS = (
    Diagnosis("乙型肝炎肝硬化", "K74.601", "K74.6"),
    Diagnosis("乙型肝炎肝硬化伴食管静脉曲张", "K74.617+I98.3*", "K74.6+I98.3*"),
)
_HEPATOMA = Diagnosis("原发性肝癌", "C22.000", "C22.0")
_CANCERS = (Diagnosis("胃恶性肿瘤", "C16.900", "C16.9"), Diagnosis("肺恶性肿瘤", "C34.900", "C34.9"))
GRAFTED = Diagnosis("肝移植状态", "Z94.400", "Z94.4")
_SINGLE: dict[str, Diagnosis] = {
    "hcv": Diagnosis("慢性丙型病毒性肝炎", "B18.200", "B18.2"),
    "hiv": Diagnosis("人类免疫缺陷病毒病", "B24.x00", "B24"),
    "immunodeficiency": Diagnosis("免疫缺陷", "D84.900", "D84.9"),
    "renal": Diagnosis("慢性肾脏病", "N18.900", "N18.9"),
    "pregnancy": Diagnosis("妊娠状态", "Z33.x00", "Z33"),
    "lactation": Diagnosis("产褥期", "O92.700", "O92.7"),
    "hyper": Diagnosis("甲状腺功能亢进症", "E05.900", "E05.9"),
    "hypo": Diagnosis("甲状腺功能减退症", "E03.900", "E03.9"),
    "ascites": Diagnosis("腹水", "R18.x00", "R18"),
    "peritonitis": Diagnosis("自发性细菌性腹膜炎", "K65.000", "K65.0"),
    "pneumonia": Diagnosis("肺部感染", "J18.900", "J18.9"),
    "bleed": Diagnosis("食管静脉曲张破裂出血", "I85.000", "I85.0"),
    "hrs": Diagnosis("肝肾综合征", "K76.700", "K76.7"),
    "hypertension": Diagnosis("高血压", "I10.x00", "I10"),
    "diabetes": Diagnosis("2型糖尿病", "E11.900", "E11.9"),
}


def chronic_infection(person: Person, rng: np.random.Generator) -> Diagnosis:
    """The code that carries evidence of infection over six months, or the acute code for those without any."""
    if "hbsag_evidence" in person.reasons:
        return ACUTE_B
    return CHRONIC_B if rng.random() < 0.7 else CHRONIC_B_SHORT


def exclusion_diagnoses(person: Person, rng: np.random.Generator) -> list[Diagnosis]:
    """Codes of the conditions a person carries from the index admission on."""
    found = []
    if person.malignancy_kind:
        hcc = person.malignancy_kind == "hcc"
        found.append(_HEPATOMA if hcc else _CANCERS[int(rng.integers(len(_CANCERS)))])
    if "hcv" in person.reasons:
        found.append(_SINGLE["hcv"])
    if "renal_dysfunction" in person.reasons:
        found.append(_SINGLE["renal"])
    found += [_SINGLE[kind] for kind in (person.immune_kind, person.pregnancy_kind, person.thyroid_kind) if kind]
    return found


def diagnose(person: Person, stay: Stay, x: dict[str, Any], rng: np.random.Generator) -> list[Diagnosis]:
    """Principal diagnosis first, then the others, at most 16 in all."""
    i = person.idx
    infection = chronic_infection(person, rng)
    cirrhosis = _CIRRHOSIS[int(rng.integers(2))] if x["cirrhosis"][i] else None
    found: list[Diagnosis] = []
    if stay.aclf:
        found.append(_ACLF[int(rng.choice(5, p=(0.35, 0.25, 0.15, 0.15, 0.10)))])
    elif stay.role == "transplant":
        found.append(_ACLF[0] if person.aclf else cirrhosis or _CIRRHOSIS[0])
    elif stay.hepatic_insufficiency:
        found.append(INSUFFICIENCY)
    elif cirrhosis is not None:
        found.append(cirrhosis)
    found.append(infection)
    if cirrhosis is not None and cirrhosis not in found:
        found.append(cirrhosis)
    if stay.role != "early":
        found += exclusion_diagnoses(person, rng)
    if person.transplant is not None and person.transplant < stay.first:
        found.append(GRAFTED)
    return (found + _complications(person, stay, x, rng))[:16]


def _complications(person: Person, stay: Stay, x: dict[str, Any], rng: np.random.Generator) -> list[Diagnosis]:
    i = person.idx
    found: list[Diagnosis] = []
    acute = stay.role in ("index", "second", "terminal")
    if x["ascites"][i] > 0 and acute:
        found.append(_SINGLE["ascites"])
    if x["infection"][i] and acute:
        found.append(_SINGLE["peritonitis" if x["ascites"][i] > 0 else "pneumonia"])
    if x["gi_bleed"][i] and acute:
        found.append(_SINGLE["bleed"])
    if x["hrs"][i] and acute:
        found.append(_SINGLE["hrs"])
    if i % 9 == 0:
        found.append(_SINGLE["hypertension"])
    if i % 11 == 0:
        found.append(_SINGLE["diabetes"])
    # Liver cancer found later, or after admission: no reason for exclusion, and told apart only by date or condition.
    if not person.malignancy_kind and stay.role == "readmit" and rng.random() < 0.015:
        found.append(_HEPATOMA)
    late = not person.reasons and stay.role == "index" and not stay.old_form and rng.random() < 0.004
    if late:
        found.append(Diagnosis(_HEPATOMA.name, _HEPATOMA.code, _HEPATOMA.old_code, AROSE))
    return found
