"""Laboratory files: which row goes into which file, header names and time forms of the year.

Files come one at a time, in order of batch and period, so that only one is held as text. Not here: what is printed
in a cell (`labs`), encodings (`delivery`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from . import delivery
from . import lab_items as li
from .clock import BATCHES, SECONDS, d3, day, t1, t2, to_date
from .delivery import Delivered, Dialect
from .findings import Finding, Findings
from .identity import completed_years
from .lab_tubes import PANELS, Tubes
from .labs import Printer
from .streams import Ints, stream
from .trajectories import Encounters
from .world import World

KIND = "检验结果"
COLUMNS: tuple[str, ...] = (
    "申请号",
    "标本号",
    "病案号",
    "住院次数",
    "姓名",
    "性别",
    "年龄",
    "科室",
    "标本类型",
    "采集时间",
    "接收时间",
    "报告时间",
    "报告状态",
    "项目代码",
    "项目名称",
    "结果",
    "单位",
    "参考范围",
    "异常标志",
    "仪器",
    "备注",
)
OLD_NAMES: dict[str, str] = {
    "申请号": "检验单号",
    "标本号": "条码号",
    "病案号": "住院号",
    "采集时间": "采样时间",
    "报告时间": "审核时间",
    "结果": "检验结果",
}
_ENZYMATIC_FROM = day(2014, 7, 1)
_HABIT_ACTIONS: dict[str, tuple[str, ...]] = {
    "censored_string": ("repair",), "nonnumeric_result": ("flag",), "number_decorated": ("repair",),
    "report_reissued": ("repair",),
}  # fmt: skip


def _dialect(year: int) -> Dialect:
    if year <= 2012:
        return delivery.GB_CRLF
    if year <= 2015:
        return delivery.BOM_CRLF
    return delivery.GB_LF if year <= 2017 else delivery.BOM_LF_GZ


def old_form(file: Delivered) -> bool:
    """True for the files of 2010 to 2012, with the old header names and T2 times."""
    return "条码号" in file.frame.columns


class LabFiles:
    """Splits the long table into files."""

    def __init__(self, world: World, enc: Encounters, tubes: Tubes, printer: Printer, long: pl.DataFrame) -> None:
        self.world, self.enc, self.tubes, self.printer = world, enc, tubes, printer
        rows = long.get_column("tube").to_numpy()
        batch = np.where(long["batch"].is_null().to_numpy(), tubes.batch[rows], long["batch"].fill_null(0).to_numpy())
        years = np.array([to_date(d).year for d in range(printer.days.min(), printer.days.max() + 1)])
        year = years[printer.days[rows] - printer.days.min()]
        self.keys = np.where(batch == 0, year, 3000 + batch)
        self.long = long
        self.draw = stream(world.seed, "lab-files").random((len(tubes.panel), 3))

    def files(self) -> Iterator[Delivered]:
        """All files, full batch by year, then increments."""
        for key in np.unique(self.keys):
            part = self.long.filter(pl.Series(self.keys == key)).sort("tube", "item", "_u")
            yield self._file(int(key), part)

    def _file(self, key: int, part: pl.DataFrame) -> Delivered:
        batch = key - 3000 if key >= 3000 else 0
        stamp = BATCHES[batch].stamp
        name = f"{KIND}_增量_{stamp}.csv" if batch else f"{KIND}_{key}.csv" + (".gz" if key >= 2018 else "")
        dialect = delivery.BOM_CRLF if batch else _dialect(key)
        old = key <= 2012
        frame = self._frame(part, old)
        if old:
            frame = frame.rename(OLD_NAMES)
        return Delivered(batch, name, KIND, dialect, frame)

    def _frame(self, part: pl.DataFrame, old: bool) -> pl.DataFrame:
        used, inverse = np.unique(part.get_column("tube").to_numpy(), return_inverse=True)
        heads = self._heads(used, t2 if old else t1)
        wide = heads[inverse]
        override = part.get_column("reported")
        if override.null_count() < part.height:
            form = t2 if old else t1
            text = pl.Series([None if v is None else form(v) for v in override], dtype=pl.String)
            wide = wide.with_columns(pl.coalesce(text, pl.col("报告时间")).alias("报告时间"))
        rows = {
            "报告状态": "status",
            "项目代码": "code",
            "项目名称": "name",
            "结果": "result",
            "单位": "unit",
            "参考范围": "span",
            "异常标志": "flag",
        }
        wide = wide.with_columns(*(part.get_column(source).alias(name) for name, source in rows.items()))
        wide = wide.with_columns(self._remarks(part, used, inverse).alias("备注"))
        return wide.select(*COLUMNS, "_p").with_columns(part.get_column("_u"))

    def _remarks(self, part: pl.DataFrame, used: Ints, inverse: Ints) -> pl.Series:
        draw = self.draw[used, 0][inverse]
        crea = part.get_column("code").to_numpy() == "CREA"
        enzymatic = (self.printer.days[used] >= _ENZYMATIC_FROM)[inverse]
        code = np.where(draw < 0.005, 1, 0)
        code = np.where(crea & (draw > 0.7), np.where(enzymatic, 2, 3), code)
        return pl.Series([None, "标本轻度溶血", "方法:酶法", "方法:苦味酸法"], dtype=pl.String).gather(code)

    def _heads(self, used: Ints, form: object) -> pl.DataFrame:
        """Text of all columns that are the same for every item of a tube; one row per tube."""
        tubes, enc, world = self.tubes, self.enc, self.world
        write = t2 if form is t2 else t1
        encounter = tubes.encounter[used]
        columns: dict[str, list[str | None]] = {name: [] for name in (*COLUMNS[:12], "仪器")}
        persons = enc.person[encounter]
        for k, tube in enumerate(used):
            person = world.persons[persons[k]]
            stay = enc.stay[encounter[k]]
            at = int(tubes.collected[tube])
            years = completed_years(person.birth, at // SECONDS)
            panel = PANELS[tubes.panel[tube]]
            kit_c = panel == li.DNA and self.printer.kit[tube] == "C"
            held = world.stays[stay] if stay >= 0 else None
            values = (
                f"JY{tube + 1_000_000_000:010d}", f"{d3(at // SECONDS)[2:]}{tube % 1_000_000:06d}",
                held.bah if held else person.bah, str(held.zycs) if held else None, person.name,
                "女" if person.female else "男", f"{years}岁" if self.draw[tube, 1] < 0.3 else str(years),
                self._ward(stay, at), li.SPECIMEN[panel], write(at), write(int(tubes.received[tube])),
                write(int(tubes.reported[tube])), "COBAS-TQ" if kit_c else li.INSTRUMENT[panel] or None,
            )  # fmt: skip
            for name, value in zip(columns, values, strict=True):
                columns[name].append(value)
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        return frame.with_columns(pl.Series("_p", persons, dtype=pl.Int64))

    def _ward(self, stay: int, at: int) -> str:
        if stay < 0:
            return "感染科门诊"
        held = self.world.stays[stay]
        return held.ward_out if at > (held.adm + held.dis) // 2 else held.ward_in


def record_habits(file: Delivered, records: pl.DataFrame, findings: Findings) -> None:
    """Add the habit records that fall into one file."""
    persons = file.frame.select("_u", "_p")
    here = records.join(persons, on="_u").sort("_u", "defect_id")
    column = "检验结果" if old_form(file) else "结果"
    for row, defect_id, original, corrupted, person in here.iter_rows():
        findings.add(
            Finding(
                defect_id, file.path, row, person, column, original, corrupted, findings.instance(), "row",
                _HABIT_ACTIONS[defect_id], habit=True,
            )
        )  # fmt: skip
