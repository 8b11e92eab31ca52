"""The laboratory's long table as arrays, for choosing what to damage.

Not here: damage.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from .. import lab_items as li
from ..clock import SECONDS
from ..lab_habits import MASS_UNIT
from ..lab_tubes import PANELS, Tubes
from ..streams import Bools, Ints
from ..trajectories import Encounters

KIND = "检验结果"


class LabTable:
    """Arrays of shape (rows,); row ids are positions, so a tube's rows are a contiguous range of first reports.

    `plain` marks first reports with a printed number that no habit has touched.
    """

    def __init__(self, long: pl.DataFrame, records: pl.DataFrame, tubes: Tubes, enc: Encounters) -> None:
        first = long.filter(pl.col("status") != "修改").sort("_u")
        self.tubes, self.enc = tubes, enc
        self.tube: Ints = first.get_column("tube").to_numpy()
        self.item: Ints = first.get_column("item").to_numpy()
        self.value = first.get_column("value").to_numpy()
        self.result = first.get_column("result")
        self.unit = first.get_column("unit")
        self.span = first.get_column("span")
        self.code = first.get_column("code").to_numpy()
        n = first.height
        reissued = set(long.filter(pl.col("status") == "修改").select("tube", "item").iter_rows())
        used = np.zeros(n, dtype=bool)
        marks = records.get_column("_u").to_numpy()
        used[marks[marks < n]] = True
        for tube, item in reissued:
            low, high = self.rows_of(tube)
            used[low:high] |= self.item[low:high] == item
        used |= (first.get_column("status") == "作废").to_numpy()
        used |= (self.unit.fill_null("") == MASS_UNIT).to_numpy()
        self.used: Bools = used
        self.plain: Bools = ~used & ~np.isnan(self.value)
        self.person: Ints = enc.person[tubes.encounter[self.tube]]
        self.stay: Ints = enc.stay[tubes.encounter[self.tube]]
        self.day: Ints = tubes.collected[self.tube] // SECONDS

    def rows_of(self, tube: int) -> tuple[int, int]:
        """First and last + 1 row of a tube."""
        low, high = np.searchsorted(self.tube, [tube, tube + 1])
        return int(low), int(high)

    def rows(self, *codes: str, plain: bool = True) -> Ints:
        """Rows of items by code (as the item list names them)."""
        wanted = np.isin(self.item, [li.POSITION[code] for code in codes])
        return np.flatnonzero(wanted & self.plain if plain else wanted)

    def of_tube(self, tube: int, code: str) -> int | None:
        """Row of an item in a tube."""
        low, high = self.rows_of(tube)
        found = np.flatnonzero(self.item[low:high] == li.POSITION[code])
        return low + int(found[0]) if len(found) else None

    def panel_tubes(self, *panels: str) -> Ints:
        """Tubes of panels drawn in stays, in order of person and time."""
        positions = [PANELS.index(name) for name in panels]
        found = np.flatnonzero(np.isin(self.tubes.panel, positions) & (self.enc.stay[self.tubes.encounter] >= 0))
        order = np.lexsort(
            (self.tubes.collected[found], self.tubes.panel[found], self.enc.person[self.tubes.encounter[found]])
        )
        return found[order]

    def consecutive(self, *panels: str) -> Iterator[tuple[int, int]]:
        """(earlier, later) tubes of one person and panel on different days, next to each other in time."""
        ordered = self.panel_tubes(*panels)
        who = self.enc.person[self.tubes.encounter[ordered]]
        days = self.tubes.collected[ordered] // SECONDS
        same = (
            (who[1:] == who[:-1])
            & (self.tubes.panel[ordered][1:] == self.tubes.panel[ordered][:-1])
            & (days[1:] > days[:-1])
        )
        for k in np.flatnonzero(same):
            yield int(ordered[k]), int(ordered[k + 1])
