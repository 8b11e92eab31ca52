"""病案首页: one row per discharge, in the forms of 2001 and 2011, and the corrected rows of later batches.

Not here: diagnoses (`diagnoses`), which stays there are (`course`).
"""

from __future__ import annotations

import numpy as np

from . import delivery
from .clock import BATCHES, SECONDS, d1, d2, day
from .course import Stay
from .diagnoses import Diagnosis, diagnose
from .identity import address_of, completed_years, first_generation, name_of, phone_of
from .lab_values import blood_groups
from .rows import Cell, FileForm, Kind, Row
from .streams import stream
from .treatments import Treatment
from .world import World

KIND = "病案首页"
INSTITUTION = "990101H01"
_HEAD = ("HKDZ", "XZZ", "DH", "LXRXM", "DH2")
F2011: tuple[str, ...] = (
    "JGID", "SKU", "YLFKFS", "ZYCS", "BAH", "XM", "XB", "CSRQ", "NL", "MZ", "SFZH", *_HEAD, "RYTJ", "RYSJ", "RYSJS",
    "RYKB", "CYSJ", "CYSJS", "CYKB", "SJZYTS", "MZZD", "JBBM", "ZYZD", "JBDM", "RYBQ",
    *(f"{stem}{n}" for n in range(1, 16) for stem in ("QTZD", "JBDM", "RYBQ")), "XX", "RH",
    *(f"{stem}{n}" for n in range(1, 8) for stem in ("SSJCZBM", "SSJCZRQ", "SSJCZMC")), "LYFS", "ZYYS",
)  # fmt: skip
_ABSENT_2001 = {"JGID", "RYTJ", "RYSJS", "CYSJS", "LYFS", "RYBQ", *(f"RYBQ{n}" for n in range(1, 16))}
F2001: tuple[str, ...] = (*(name for name in F2011 if name not in _ABSENT_2001), "CYQK")
_FIRST_GENERATION_UNTIL = day(2012, 12, 31)
_PAYER = {"1": "社保", "2": "社保", "3": "社保", "7": "自费", "9": "其他"}
_HOW_LEFT = {"home": ("1", "2"), "transfer": ("2", "5"), "against": ("4", "5"), "dead": ("5", "4")}
# Procedure names with their codes in the forms of 2011 and 2001, by category or mode of treatment.
_PROCEDURES: dict[str, tuple[str, str, str]] = {
    "肝移植": ("50.5900x001", "50.59", "肝移植术"),
    "人工肝": ("50.9200", "50.92", "人工肝治疗"),
    "血液净化": ("39.9500", "39.95", "血液透析"),
    "穿刺": ("54.9100", "54.91", "腹腔穿刺术"),
    "内镜": ("44.4300", "44.43", "内镜下止血术"),
    "呼吸": ("96.7100", "96.71", "呼吸机治疗"),
}
FORMS: dict[str, FileForm] = {
    "a": FileForm("病案首页_2010-2011.csv", delivery.GB_CRLF, F2001),
    "b": FileForm("病案首页_2012-2018.csv", delivery.GB_CRLF, F2011),
    "c": FileForm("病案首页_增量_{stamp}.csv", delivery.GB_CRLF, F2011),
}
_ABO = {"A": "1", "B": "2", "O": "3", "AB": "4"}


def build_front_pages(world: World, treatments: list[Treatment]) -> Kind:
    """All front pages; a few of the full batch are corrected later (blood group filled in), one by the last batch."""
    rng = stream(world.seed, "front-page")
    kind = Kind(KIND, FORMS)
    by_stay: dict[int, list[Treatment]] = {}
    for treatment in treatments:
        by_stay.setdefault(treatment.stay, []).append(treatment)
    groups = blood_groups(world)
    constant = {p.idx: _constants(rng) for p in world.persons}
    last_open = True
    for stay in world.stays:
        page = _page(world, stay, by_stay.get(stay.idx, []), constant[stay.person], str(groups[stay.person]), rng)
        file = "c" if stay.batch else ("a" if stay.old_form else "b")
        columns = FORMS[file].columns
        row = Row((stay.dis, stay.idx), stay.batch, file, stay.person, tuple(page.get(name) for name in columns))
        if file == "b" and (last_open or rng.random() < 0.004):
            later = len(BATCHES) - 1 if last_open else int(rng.integers(1, len(BATCHES)))
            last_open = False
            corrected = Row((0, stay.idx), later, "c", stay.person, row.cells)
            place = columns.index("XX")
            row.cells = (*row.cells[:place], "6", *row.cells[place + 1 :])
            corrected.cells = (*corrected.cells[:place], _ABO[str(groups[stay.person])], *corrected.cells[place + 1 :])
            kind.add(row)
            kind.add(corrected)
            continue
        kind.add(row)
    return kind


def _constants(rng: np.random.Generator) -> dict[str, Cell]:
    """Cells that stay the same for a person."""
    return {
        "YLFKFS": str(rng.choice(("1", "2", "3", "7", "9"), p=(0.36, 0.22, 0.25, 0.13, 0.04))),
        "MZ": "汉族" if rng.random() < 0.97 else "壮族",
        "HKDZ": address_of(rng),
        "XZZ": address_of(rng),
        "DH": phone_of(rng),
        "LXRXM": name_of(rng),
        "DH2": phone_of(rng),
    }


def _page(
    world: World,
    stay: Stay,
    treatments: list[Treatment],
    constant: dict[str, Cell],
    group: str,
    rng: np.random.Generator,
) -> dict[str, Cell]:
    person, old = world.persons[stay.person], stay.old_form
    form = d2 if old else d1
    hours = [str(second % SECONDS // 3600) for second in (stay.adm, stay.dis)]
    if rng.random() < 0.4:
        hours = [hour.zfill(2) for hour in hours]
    number: Cell = person.id_number
    if rng.random() < (0.15 if old else 0.03) or stay.number_blank:
        number = None
    elif stay.last <= _FIRST_GENERATION_UNTIL and rng.random() < 0.015 and person.id_number[6:8] == "19":
        number = first_generation(person.id_number)
    page: dict[str, Cell] = dict(constant)
    page |= {
        "JGID": INSTITUTION,
        "SKU": f"{stay.bah}-{stay.zycs}",
        "ZYCS": str(stay.zycs),
        "BAH": stay.bah,
        "XM": person.name,
        "XB": ("女" if person.female else "男") if old else ("2" if person.female else "1"),
        "CSRQ": form(person.birth),
        "NL": str(completed_years(person.birth, stay.first)),
        "SFZH": number,
        "RYTJ": str(rng.choice(("1", "2", "3", "9"), p=(0.25, 0.5, 0.22, 0.03))),
        "RYSJ": form(stay.first),
        "RYSJS": hours[0],
        "RYKB": stay.ward_in,
        "CYSJ": form(stay.last),
        "CYSJS": hours[1],
        "CYKB": stay.ward_out,
        "SJZYTS": str(max(1, stay.last - stay.first)),
        "XX": "6" if rng.random() < 0.05 else _ABO[group],
        "RH": "2" if rng.random() < 0.95 else "4",
        "LYFS": _HOW_LEFT[stay.end][0],
        "CYQK": _HOW_LEFT[stay.end][1],
        "ZYYS": name_of(rng),
    }
    if old:
        page["YLFKFS"] = _PAYER[str(page["YLFKFS"])] if rng.random() < 0.95 else "公费"
    if stay.no_labs and rng.random() < 0.8:
        page["RYTJ"] = "3"
    page |= _diagnosis_cells(diagnose(person, stay, world.x, rng), old, rng)
    page |= _procedure_cells(treatments, old)
    if not old:
        for name in F2011:
            if page.get(name) is None:
                page[name] = "-"
    return page


def _diagnosis_cells(found: list[Diagnosis], old: bool, rng: np.random.Generator) -> dict[str, Cell]:
    def code(diagnosis: Diagnosis) -> str:
        text = diagnosis.old_code if old else diagnosis.code
        return text + " " if rng.random() < 0.02 else text

    principal = found[0]
    cells: dict[str, Cell] = {
        "MZZD": "乙型病毒性肝炎" if rng.random() < 0.3 else principal.name, "JBBM": code(principal),
        "ZYZD": principal.name, "JBDM": code(principal), "RYBQ": principal.on_admission,
    }  # fmt: skip
    for n, diagnosis in enumerate(found[1:], start=1):
        cells |= {f"QTZD{n}": diagnosis.name, f"JBDM{n}": code(diagnosis), f"RYBQ{n}": diagnosis.on_admission}
    return cells


def _procedure_cells(treatments: list[Treatment], old: bool) -> dict[str, Cell]:
    """Up to seven procedures: the first of each category, the transplant first."""
    first: dict[str, Treatment] = {}
    for treatment in treatments:
        first.setdefault(treatment.category, treatment)
    cells: dict[str, Cell] = {}
    for n, category in enumerate([name for name in _PROCEDURES if name in first], start=1):
        code, old_code, name = _PROCEDURES[category]
        at = first[category].start // SECONDS
        cells |= {f"SSJCZBM{n}": old_code if old else code, f"SSJCZRQ{n}": (d2 if old else d1)(at), f"SSJCZMC{n}": name}
    return cells
