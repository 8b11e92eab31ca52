"""Damage to laboratory units: missing units, silent conversions, HBV-DNA in another scale.

Not here: units correctly declared (a habit of `labs`).
"""

from __future__ import annotations

import numpy as np

from .. import lab_items as li
from ..labs import COPIES_PER_IU
from .lab_table import KIND, LabTable
from .plan import Plan

# Analytes printed silently in conventional units: divisor and conventional range.
_SILENT: dict[str, tuple[float, int, str]] = {
    "TBIL": (17.10, 2, "0-1.35"),
    "DBIL": (17.10, 2, "0-0.40"),
    "IBIL": (17.10, 2, "0-1.00"),
    "CREA": (88.40, 2, "0.57-1.24"),
    "ALB": (10, 2, "3.5-5.5"),
    "HGB": (10, 1, "13.0-17.5"),
}
_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (li.LIVER, ("TBIL", "DBIL", "IBIL")), (li.KIDNEY, ("CREA",)), (li.LIVER, ("ALB",)), (li.BLOOD, ("HGB",)),
)  # fmt: skip


def unit_missing(lab: LabTable, plan: Plan) -> None:
    """Unit blank or `-` for a quantitative item; the printed range is that of one unit."""
    rng = plan.rng("unit_missing")
    index = (
        lab.unit.is_in(["COI", "S/CO"]).fill_null(False).to_numpy()
    )  # an index is no quantity: its unit may be blank
    has = lab.plain & ~index & ~lab.unit.is_null().to_numpy() & ~lab.span.is_null().to_numpy()
    for row in plan.choose(KIND, np.flatnonzero(has), plan.share(0.002, len(lab.tube)), rng):
        text = None if rng.random() < 0.7 else "-"
        plan.patch(KIND, row, "单位", text, plan.event("unit_missing", "repair", "quarantine"))


def unit_silent(lab: LabTable, plan: Plan) -> None:
    """Conventional values under the unit of SI, half of them with the conventional range."""
    rng = plan.rng("unit_silent")
    tubes = lab.panel_tubes(li.LIVER, li.KIDNEY, li.BLOOD)
    wanted = plan.share(0.002, len(tubes))
    for position in rng.permutation(len(tubes)):
        if not wanted:
            break
        tube = int(tubes[position])
        panel = lab.tubes.panel[tube]
        choices = [codes for name, codes in _GROUPS if panel == _panel(name)]
        codes = choices[int(rng.integers(len(choices)))]
        rows = [lab.of_tube(tube, code) for code in codes]
        known = [row for row in rows if row is not None and lab.plain[row]]
        if len(known) < len(codes) or not plan.free(KIND, known):
            continue
        plan.touch(KIND, known)
        event = plan.event("unit_silent", "repair", "quarantine")
        told = rng.random() < 0.5
        for row, code in zip(known, codes, strict=True):
            divisor, places, span = _SILENT[code]
            plan.patch(KIND, row, "结果", f"{lab.value[row] / divisor:.{places}f}", event)
            if told:
                plan.patch(KIND, row, "参考范围", span, event)
        wanted -= 1


def _panel(name: str) -> int:
    return list(li.SPECIMEN).index(name)


def hbvdna_unit_silent(lab: LabTable, plan: Plan) -> None:
    """Copies, or log10, printed under IU/mL. A log10 is far below any limit; copies are a number like any other."""
    rng = plan.rng("hbvdna_unit_silent")
    rows = [row for row in lab.rows("HBVDNA") if lab.unit[int(row)] == "IU/mL" and lab.result[int(row)][0].isdigit()]
    for k, row in enumerate(plan.choose(KIND, rows, plan.share(0.01, len(rows)), rng)):
        value, copies = float(lab.value[row]), k % 2 == 1
        text = f"{value * COPIES_PER_IU:.2E}" if copies else f"{np.log10(value):.2f}"
        plan.patch(KIND, row, "结果", text, plan.event("hbvdna_unit_silent", "quarantine", detectable=not copies))


ALL = (hbvdna_unit_silent, unit_silent, unit_missing)
