"""Damage to single laboratory results: full-width digits, joined values, slipped points, wrong cells of a tube.

Not here: units (`lab_units`), times and whole tubes (`lab_rows`).
"""

from __future__ import annotations

import numpy as np

from .. import lab_items as li
from .lab_table import KIND, LabTable
from .plan import Plan

WIDE = str.maketrans("0123456789.<>", "０１２３４５６７８９．＜＞")
# Hard limits of the analytes whose decimal point slips (SI units, clinical reference 4.2).
HARD_LIMITS: dict[str, tuple[float, float]] = {
    "NA": (95, 185), "K": (1.2, 10), "ALB": (8, 65), "TBIL": (2, 1500), "INR": (0.5, 15),
}  # fmt: skip
_HOURS_72 = 72 * 3600
_UNMAPPED = (
    ("T-BIL2", "总胆红素(重氮法)"), ("CREA-E", "肌酐(酶法)"), ("ALT-R", "谷丙转氨酶(快速)"), ("NA-D", "钠(干化学)"),
    ("HBVD2", "乙肝病毒DNA(高敏)"),
)  # fmt: skip


def move_point(text: str, left: bool) -> str:
    """Move the decimal point one place: `137` → `13.7`, `31.2` → `312`, `442.5` → `44.25`."""
    whole, _, tail = text.partition(".")
    if left:
        head, cut = (whole[:-1] or "0"), whole[-1]
        return f"{head}.{cut}{tail}"
    if not tail:
        return f"{whole}0"
    moved = (whole + tail[0]).lstrip("0") or "0"
    return f"{moved}.{tail[1:]}" if len(tail) > 1 else moved


def fullwidth_digits(lab: LabTable, plan: Plan) -> None:
    """Digits typed in full width."""
    rng = plan.rng("fullwidth_digits")
    rows = np.flatnonzero(lab.plain)
    for row in plan.choose(KIND, rows, plan.share(0.003, len(lab.tube)), rng):
        plan.patch(KIND, row, "结果", lab.result[row].translate(WIDE), plan.event("fullwidth_digits", "repair"))


def double_value(lab: LabTable, plan: Plan) -> None:
    """Two measurements joined in one cell."""
    rng = plan.rng("double_value")
    rows = lab.rows("ALT", "AST", "GGT", "PLT", "CRP", "HBVDNA", "WBC")
    for row in plan.choose(KIND, rows, plan.share(0.0001, len(lab.tube)), rng):
        text = lab.result[row]
        joined = "阴性-<400" if lab.code[row] == "HBVDNA" else f"{text}-{float(text) * 1.6:.0f}"
        plan.patch(KIND, row, "结果", joined, plan.event("double_value", "quarantine"))


def item_unmapped(lab: LabTable, plan: Plan) -> None:
    """A pair of code and name that no list knows."""
    rng = plan.rng("item_unmapped")
    rows = lab.rows("TBIL", "CREA", "ALT", "NA")
    for row in plan.choose(KIND, rows, plan.share(0.0005, len(lab.tube)), rng):
        code, name = _UNMAPPED[("TBIL", "CREA", "ALT", "NA").index(lab.code[row])]
        event = plan.event("item_unmapped", "quarantine")
        plan.patch(KIND, row, "项目代码", code, event)
        plan.patch(KIND, row, "项目名称", name, event)


def inr_pta_swapped(lab: LabTable, plan: Plan) -> None:
    """INR and PTA exchanged within a tube."""
    rng = plan.rng("inr_pta_swapped")
    tubes = lab.panel_tubes(li.CLOT)
    wanted = plan.share(0.002, len(tubes))
    for tube in rng.permutation(tubes):
        if not wanted:
            break
        inr, pta = lab.of_tube(tube, "INR"), lab.of_tube(tube, "PTA")
        if inr is None or pta is None or not (lab.plain[inr] and lab.plain[pta]) or not plan.free(KIND, (inr, pta)):
            continue
        plan.touch(KIND, (inr, pta))
        event = plan.event("inr_pta_swapped", "quarantine")
        plan.patch(KIND, inr, "结果", lab.result[pta], event)
        plan.patch(KIND, pta, "结果", lab.result[inr], event)
        wanted -= 1


def dbil_filled_with_tbil(lab: LabTable, plan: Plan) -> None:
    """Direct bilirubin holds the total as text, in runs of three to ten tubes of the laboratory."""
    rng = plan.rng("dbil_filled_with_tbil")
    tubes = np.sort(lab.panel_tubes(li.LIVER))
    wanted = plan.share(0.003, len(tubes))
    while wanted > 0 and len(tubes) > 12:
        length = min(max(3, wanted), int(rng.integers(3, 11)))
        start = int(rng.integers(0, len(tubes) - length))
        for tube in tubes[start : start + length]:
            total, direct, rest = (lab.of_tube(tube, code) for code in ("TBIL", "DBIL", "IBIL"))
            if total is None or direct is None or rest is None or not plan.free(KIND, (total, direct, rest)):
                continue
            if not (lab.plain[total] and lab.plain[direct] and lab.plain[rest]) or lab.value[rest] < 0.5:
                continue
            plan.touch(KIND, (total, direct, rest))
            plan.patch(KIND, direct, "结果", lab.result[total], plan.event("dbil_filled_with_tbil", "quarantine"))
        wanted -= length


def percent_as_count(lab: LabTable, plan: Plan) -> None:
    """The percentage under the unit of a count; always above the white count."""
    rng = plan.rng("percent_as_count")
    rows = lab.rows("NEU#", "LYM#")
    wanted = plan.share(0.002, len(rows))
    for row in rng.permutation(rows):
        if not wanted:
            break
        share = lab.of_tube(lab.tube[row], "NEU%" if lab.code[row] == "NEU#" else "LYM%")
        white = lab.of_tube(lab.tube[row], "WBC")
        if (
            share is None
            or white is None
            or not (lab.plain[share] and lab.plain[white])
            or lab.value[share] < 1.3 * lab.value[white]
        ):
            continue
        if plan.choose(KIND, [int(row)], 1, rng):
            plan.touch(KIND, (share, white))
            plan.patch(KIND, int(row), "结果", lab.result[share], plan.event("percent_as_count", "quarantine"))
            wanted -= 1


def decimal_slip(lab: LabTable, plan: Plan) -> None:
    """The decimal point moved. Outside the hard limits any rule can know; inside only with a second value ≤ 72 h."""
    rng = plan.rng("decimal_slip")
    rows = lab.rows(*HARD_LIMITS)
    for row in plan.choose(KIND, rows, plan.share(0.001, len(rows)), rng):
        code = str(lab.code[row])
        low, high = HARD_LIMITS[code]
        text = move_point(lab.result[row], bool(rng.random() < 0.6))
        if low <= float(text) <= high:
            event = plan.event("decimal_slip", "flag", detectable=_has_neighbour(lab, row))
        else:
            event = plan.event("decimal_slip", "quarantine")
        plan.patch(KIND, row, "结果", text, event)


def _has_neighbour(lab: LabTable, row: int) -> bool:
    at = lab.tubes.collected[lab.tube[row]]
    same = (lab.person == lab.person[row]) & (lab.item == lab.item[row]) & lab.plain
    same[row] = False
    return bool(np.any(np.abs(lab.tubes.collected[lab.tube[same]] - at) <= _HOURS_72))


def pta_fraction(lab: LabTable, plan: Plan) -> None:
    """PTA printed as a fraction under `%`; the INR of the tube tells."""
    rng = plan.rng("pta_fraction")
    rows = lab.rows("PTA")
    for row in plan.choose(KIND, rows, plan.share(0.005, len(rows)), rng):
        inr = lab.of_tube(lab.tube[row], "INR")
        agrees = inr is not None and bool(lab.plain[inr]) and plan.free(KIND, (inr,))
        if inr is not None:
            plan.touch(KIND, (inr,))
        # an INR with other marks on it may still be read and agree
        actions = ("repair", "quarantine") if agrees else ("quarantine", "repair")
        plan.patch(KIND, row, "结果", f"{lab.value[row] / 100:.2f}", plan.event("pta_fraction", *actions))


ALL = (
    inr_pta_swapped, dbil_filled_with_tbil, percent_as_count, pta_fraction, decimal_slip, double_value, item_unmapped,
    fullwidth_digits,
)  # fmt: skip
