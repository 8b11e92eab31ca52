"""生命体征: one row each morning, four-hourly in the severely ill.

Not here: the state behind them (`bedside`).
"""

from __future__ import annotations

import numpy as np

from . import bedside, delivery
from .clock import SECONDS, t1
from .course import Stay
from .identity import name_of
from .population import Person
from .rows import Cell, FileForm, Kind, Row
from .streams import stream
from .world import World

KIND = "生命体征"
COLUMNS: tuple[str, ...] = (
    "病案号",
    "住院次数",
    "测量时间",
    "体温(℃)",
    "脉搏(次/分)",
    "呼吸(次/分)",
    "收缩压(mmHg)",
    "舒张压(mmHg)",
    "血氧饱和度(%)",
    "吸氧浓度(%)",
    "意识",
    "24小时尿量(mL)",
    "身高(cm)",
    "体重(kg)",
    "记录者",
)
FORMS: dict[str, FileForm] = {
    "a": FileForm("生命体征_2010-2018.csv", delivery.PLAIN_LF, COLUMNS),
    "c": FileForm("生命体征_增量_{stamp}.csv", delivery.PLAIN_LF, COLUMNS),
}
ICU = "感染科重症监护室"


def _times(person: Person, stay: Stay, world: World, rng: np.random.Generator) -> list[int]:
    """Instants of measurement: admission, every morning, four-hourly from grade III on or in intensive care."""
    times = {min(stay.adm + 1200, stay.dis - 60)}
    last = stay.last if stay.dead else stay.last + 1
    for at in range(stay.first + 1, last):
        exact = rng.random() < 0.7
        times.add(at * SECONDS + (7 * 3600 if exact else int(rng.integers(6 * 60, 8 * 60)) * 60))
        close = bedside.encephalopathy(person, stay, world.x, at) >= 3 or (stay.ward_in == ICU and at - stay.first < 12)
        if close and at < stay.last:
            times |= {at * SECONDS + hour * 3600 for hour in (2, 10, 14, 18, 22)}
    return sorted(t for t in times if stay.adm < t < stay.dis)


def build_vitals(world: World) -> Kind:
    """All rows of vital signs."""
    rng = stream(world.seed, "vitals")
    kind = Kind(KIND, FORMS)
    nurses = [name_of(rng) for _ in range(50)]
    for stay in world.stays:
        person = world.persons[stay.person]
        times = _times(person, stay, world, rng)
        z = np.clip(rng.standard_normal((len(times), 8)), -2.4, 2.4)
        worse = 1.0 if stay.dead else 0.0
        fever = 0.5 if bedside.flag(person, stay, world.x, "infection") else 0.0
        file = "c" if stay.batch else "a"
        for k, at in enumerate(times):
            cells = _cells(person, stay, world, at, z[k], worse, fever)
            if k == 0:
                cells[9] = f"{world.x['height_cm'][person.idx]:.0f}"
            weekly = (at // SECONDS - stay.first) % 7 == 0 and 6 * 3600 <= at % SECONDS < 9 * 3600
            if k == 0 or weekly:
                cells[10] = f"{np.round(world.x['weight_kg'][person.idx] + 0.5 * z[k, 7], 1):.1f}"
            row = (stay.bah, str(stay.zycs), t1(at), *cells, nurses[(at // 3600 + stay.idx) % 50])
            kind.add(Row((at, stay.idx), stay.batch, file, stay.person, row))
    return kind


def _cells(person: Person, stay: Stay, world: World, at: int, z: np.ndarray, worse: float, fever: float) -> list[Cell]:
    day = at // SECONDS
    grade = bedside.encephalopathy(person, stay, world.x, day)
    urine = f"{max(200, 1500 - 500 * worse + 380 * z[5]):.0f}" if at % SECONDS == 7 * 3600 else None
    oxygen = f"{29 + 4 * int(abs(z[6]) * 2)}" if worse and z[6] > 0 else None
    systolic = 112 - 10 * worse + 10 * z[3]
    return [
        f"{36.7 + fever + 0.35 * z[0]:.1f}", f"{78 + 14 * worse + 9 * z[1]:.0f}", f"{19 + 3 * worse + 1.6 * z[2]:.0f}",
        f"{systolic:.0f}", f"{systolic * 0.62 + 4 * z[4]:.0f}", f"{min(100, 97 - 2 * worse + z[2]):.0f}", oxygen,
        bedside.consciousness(grade), urine, None, None,
    ]  # fmt: skip
