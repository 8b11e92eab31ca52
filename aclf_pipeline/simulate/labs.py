"""Laboratory results as the laboratory prints them: decimals, units, ranges, flags, limits of the assay.

Result is one long table: columns `tube` (position in Tubes), `item` (position in ITEMS), `code`, `name`, `result`,
`unit`, `span`, `flag`, `value` (number before printing), `original` (number hidden by a censored string).
Not here: re-issued and withdrawn reports, decorations (`lab_habits`), files (`lab_files`).
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from . import lab_items as li
from .clock import day
from .lab_tubes import Tubes
from .lab_values import Measured
from .streams import Bools, Floats, Ints, stream
from .trajectories import Encounters
from .world import World

KIT_B_FROM, KIT_C_FROM = day(2012, 7, 1), day(2015, 7, 1)
_QUANTITATIVE_FROM = day(2014, 1, 1)
COPIES_PER_IU = 5.6
_AFP_UPPER_CHANGE = day(2014, 1, 1)
# (lower limit text, lower limit, upper limit text, upper limit) of assays with a measuring range.
_RANGES: dict[str, tuple[str, float, str, float]] = {
    "CRP": ("<0.5", 0.5, ">200", 200.0),
    "PROCT": ("<0.05", 0.05, ">100", 100.0),
    "HCVRNA": ("<1000", 1000.0, ">1.00E+08", 1e8),
}
_LONG_SCHEMA = {
    "tube": pl.Int32, "item": pl.Int16, "code": pl.String, "name": pl.String, "result": pl.String, "unit": pl.String,
    "span": pl.String, "flag": pl.String, "value": pl.Float64, "original": pl.String,
}  # fmt: skip


def fixed(values: Floats, decimals: int) -> pl.Series:
    """Text with a fixed number of decimals, e.g. `31.0`."""
    whole = pl.Series("k", np.rint(np.asarray(values) * 10**decimals).astype(np.int64))
    if decimals == 0:
        return whole.cast(pl.String)
    power = 10**decimals
    tail = (whole % power).cast(pl.String).str.zfill(decimals)
    return pl.select(pl.format("{}.{}", whole // power, tail)).to_series()


def limits(span: str, female: Bools) -> tuple[Floats, Floats]:
    """Lower and upper limits of a printed range per row; NaN where there is none."""
    n = len(female)
    if span.startswith("男:"):
        man, woman = (limits(part[2:], np.zeros(n, dtype=bool)) for part in span.split(";"))
        return np.where(female, woman[0], man[0]), np.where(female, woman[1], man[1])
    numbers = [float(found) for found in re.findall(r"[\d.]+", span)]
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if len(numbers) == 2:
        low[:], high[:] = numbers
    elif span[:1] in "<≤" and numbers:
        high[:] = numbers[0]
    elif span[:1] == ">" and numbers:
        low[:] = numbers[0]
    return low, high


class Printer:
    """Prints items tube by tube; holds what printing depends on."""

    def __init__(self, world: World, enc: Encounters, tubes: Tubes) -> None:
        self.rng = stream(world.seed, "printer")
        self.tubes = tubes
        self.days: Ints = tubes.collected // 86_400
        female = np.array([person.female for person in world.persons])
        self.female: Bools = female[enc.person[tubes.encounter]]
        dna = tubes.where(li.DNA)
        self.kit = np.where(self.days < KIT_B_FROM, "A", "B").astype("<U1")
        third = (self.days[dna] >= KIT_C_FROM) & (self.rng.random(len(dna)) < 0.6)
        self.kit[dna[third]] = "C"
        self.span_style = self.rng.choice(3, size=len(tubes.panel), p=(0.84, 0.10, 0.06))

    def long_table(self, found: list[Measured]) -> pl.DataFrame:
        """All rows, in order of tube and item."""
        parts = [self._item(measured) for measured in found if len(measured.tubes)]
        return pl.concat(parts).sort("tube", "item", maintain_order=True)

    def _item(self, measured: Measured) -> pl.DataFrame:
        if measured.code == "HBVDNA":
            return self._dna(measured)
        if measured.code == "HBSAG":
            return self._surface_antigen(measured)
        item = li.ITEMS[li.POSITION[measured.code]]
        at = self.days[measured.tubes]
        starts = np.array([era.since for era in item.eras])
        which = np.searchsorted(starts, at, side="right") - 1
        parts = []
        for i, era in enumerate(item.eras):
            here = np.flatnonzero(which == i)
            if len(here):
                text = None if measured.text is None else [measured.text[k] for k in here]
                parts.append(self._era(item, era, measured.tubes[here], measured.values[here] * era.factor, text))
        return pl.concat(parts)

    def _era(self, item: li.Item, era: li.Era, tubes: Ints, values: Floats, text: list[str] | None) -> pl.DataFrame:
        n = len(tubes)
        result = pl.Series("result", text, dtype=pl.String) if text is not None else fixed(values, era.decimals)
        original = pl.Series("original", [None] * n, dtype=pl.String)
        if text is None and (item.code in _RANGES or item.code == "AFP"):
            result, original = self._censor(item.code, tubes, values, result)
        flag = (
            pl.Series("flag", [None] * n, dtype=pl.String) if text is not None else self._flag(era.span, tubes, values)
        )
        code = item.code.removeprefix("F:")
        codes = pl.Series("code", [code]).gather(np.zeros(n, dtype=np.uint32))
        if item.code == "PROCT":
            codes = pl.Series(["PCT", "PROCT"]).gather((self.days[tubes] >= li.SAME_CODE_UNTIL).astype(np.uint32))
        return pl.DataFrame(
            {
                "tube": pl.Series(tubes, dtype=pl.Int32),
                "item": pl.Series(np.full(n, li.POSITION[item.code]), dtype=pl.Int16),
                "code": codes,
                "name": pl.Series([era.name]).gather(np.zeros(n, dtype=np.uint32)),
                "result": result,
                "unit": self._unit(era.unit, n),
                "span": self._span(era.span, tubes),
                "flag": flag,
                "value": np.full(n, np.nan) if text is not None else values,
                "original": original,
            },
            schema=_LONG_SCHEMA,
        )

    def _unit(self, unit: str, n: int) -> pl.Series:
        if not unit:
            return pl.Series([None] * n, dtype=pl.String)
        spellings = li.UNIT_SPELLINGS.get(unit, (unit,))
        rest = 0.15 / max(1, len(spellings) - 1)
        shares = [0.85, *[rest] * (len(spellings) - 1)] if len(spellings) > 1 else [1.0]
        return pl.Series(list(spellings)).gather(self.rng.choice(len(spellings), size=n, p=shares))

    def _span(self, span: str, tubes: Ints) -> pl.Series:
        if not span:
            return pl.Series([None] * len(tubes), dtype=pl.String)
        plain = re.fullmatch(r"[\d.]+-[\d.]+", span) is not None
        styles = [span, span.replace("-", "～"), span.replace("-", "--")] if plain else [span] * 3
        return pl.Series(styles).gather(self.span_style[tubes])

    def _flag(self, span: str, tubes: Ints, values: Floats) -> pl.Series:
        """H, L, HH, LL; arrows in the years 2013 to 2015; blank inside the range."""
        low, high = limits(span, self.female[tubes])
        above, below = values > high, values < low
        code = np.where(
            above, np.where(values > 3 * high, 2, 1), np.where(below, np.where(values < 0.5 * low, 4, 3), 0)
        )
        arrows = (self.days[tubes] >= day(2013, 1, 1)) & (self.days[tubes] < day(2016, 1, 1)) & (code > 0)
        code = np.where(arrows, np.where(above, 5, 6), code)
        return pl.Series([None, "H", "HH", "L", "LL", "↑", "↓"], dtype=pl.String).gather(code)

    def _censor(self, code: str, tubes: Ints, values: Floats, result: pl.Series) -> tuple[pl.Series, pl.Series]:
        if code == "AFP":
            top = np.where(self.days[tubes] < _AFP_UPPER_CHANGE, 1210.0, 3000.0)
            above, below = values > top, np.zeros(len(values), dtype=bool)
            low_text, high_text = "", pl.Series([">1210", ">3000"]).gather((top > 2000).astype(np.uint32))
        else:
            low_text, low, high, top_value = _RANGES[code]
            above, below = values > top_value, values < low
            high_text = pl.Series([high]).gather(np.zeros(len(values), dtype=np.uint32))
        wide = self.rng.random(len(values)) < 0.1
        lows = pl.Series([low_text, low_text.replace("<", "＜")]).gather(wide.astype(np.uint32))
        frame = pl.DataFrame({"r": result, "h": high_text, "l": lows, "a": above, "b": below})
        hidden = pl.when(pl.col("a") | pl.col("b")).then(pl.col("r"))
        shown = pl.when(pl.col("a")).then(pl.col("h")).when(pl.col("b")).then(pl.col("l")).otherwise(pl.col("r"))
        return frame.select(shown).to_series(), frame.select(hidden).to_series()

    def _rows(
        self, measured: Measured, rows: list[tuple[str, str | None, str, str | None, str | None]]
    ) -> pl.DataFrame:
        """Long rows from (result, unit, span, flag, original) per tube."""
        item = li.ITEMS[li.POSITION[measured.code]]
        n = len(rows)
        result, unit, span, flag, original = zip(*rows, strict=True)
        return pl.DataFrame({
            "tube": measured.tubes, "item": np.full(n, li.POSITION[item.code]), "code": [item.code] * n,
            "name": [item.eras[0].name] * n, "result": result, "unit": unit, "span": span, "flag": flag,
            "value": measured.values, "original": original,
        }, schema=_LONG_SCHEMA)  # fmt: skip

    def _surface_antigen(self, measured: Measured) -> pl.DataFrame:
        """COI with the flag 阳性; from 2014 half in IU/mL, undiluted (`>250`) or diluted (up to `>52000`)."""
        rows: list[tuple[str, str | None, str, str | None, str | None]] = []
        draw = self.rng.random((len(measured.tubes), 2))
        for i, tube in enumerate(measured.tubes):
            value = float(measured.values[i])
            if self.days[tube] < _QUANTITATIVE_FROM or draw[i, 0] < 0.5:
                rows.append((f"{value:.2f}", "COI", "<1.0", "阳性", None))
                continue
            top = 250.0 if draw[i, 1] < 0.4 else 52_000.0
            quantity = value * 4.0
            text = f"{quantity:.2f}"
            shown = f">{top:.0f}" if quantity > top else text
            rows.append((shown, "IU/mL", "<0.05", "阳性", text if shown != text else None))
        return self._rows(measured, rows)

    def _dna(self, measured: Measured) -> pl.DataFrame:
        rows: list[tuple[str, str | None, str, str | None, str | None]] = []
        draw = self.rng.random(len(measured.tubes))
        for i, tube in enumerate(measured.tubes):
            rows.append(_dna_text(float(measured.values[i]), str(self.kit[tube]), float(draw[i])))
        return self._rows(measured, rows)


def _dna_text(iu: float, kit: str, draw: float) -> tuple[str, str | None, str, str | None, str | None]:
    """(result, unit, span, flag, original) of an HBV-DNA in IU/mL by kit A, B or C."""
    low, high, unit = {"A": (1000.0, 1e8, "copies/mL"), "B": (500.0, 1e9, "IU/mL"), "C": (20.0, 1.7e8, "IU/mL")}[kit]
    value = iu * COPIES_PER_IU if kit == "A" else iu
    text = f"{value:.2E}" if value >= 1000 else f"{value:.0f}"
    span = f"<{low:.0f}"
    if value > high:
        return f">{high:.2E}", unit, span, "HH", text
    if value >= low:
        return text, unit, span, "H", None
    choices = {
        "A": ((0.9, "<1000"), (1.0, "＜1000")),
        "B": (
            (0.45, "<500"),
            (0.75, "<5.00E+02"),
            (0.82, "＜500"),
            (0.90, "低于检测下限"),
            (0.95, "<5.00×10^2"),
            (1.0, "≤500"),
        ),
        "C": ((0.5, "<20"), (0.93, "未检出"), (1.0, "＜20")),
    }[kit]
    return next(shown for edge, shown in choices if draw <= edge), unit, span, None, text
