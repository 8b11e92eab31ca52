"""Days, seconds and how the hospital writes them; the four deliveries.

A day is an integer (days since 1970-01-01), an instant an integer (seconds since 1970-01-01 00:00, Beijing local
time without a zone). Nothing here reads the machine's clock. Not here: which event falls on which day (`course`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

EPOCH = date(1970, 1, 1)
SECONDS = 86_400


def day(year: int, month: int, of_month: int) -> int:
    """Day number of a calendar date."""
    return (date(year, month, of_month) - EPOCH).days


@cache
def to_date(number: int) -> date:
    """Calendar date of a day number."""
    return EPOCH + timedelta(days=number)


def to_datetime(second: int) -> datetime:
    """Local datetime of an instant."""
    return datetime(1970, 1, 1) + timedelta(seconds=int(second))  # noqa: DTZ001 local time without a zone, by design


FIRST_DAY = day(2010, 1, 1)
LAST_ADMISSION = day(2018, 12, 31)
AS_OF = day(2019, 10, 31)
FORM_2011_FROM = day(2012, 1, 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """One delivery: its folder, the last day its data cover and the day it was written."""

    name: str
    cutoff: int
    sent: int

    @property
    def stamp(self) -> str:
        """`YYYYMMDD` of the folder, as file names carry it."""
        return self.name[:8]


BATCHES: tuple[Batch, ...] = (
    Batch("20181015_full", day(2018, 9, 30), day(2018, 10, 15)),
    Batch("20190115_incr", day(2018, 12, 31), day(2019, 1, 15)),
    Batch("20190715_incr", day(2019, 6, 30), day(2019, 7, 15)),
    Batch("20191115_incr", day(2019, 10, 31), day(2019, 11, 15)),
)
NOT_DELIVERED = len(BATCHES)


def batch_of(number: int) -> int:
    """Position of the first batch whose data reach this day; `NOT_DELIVERED` after the last cut-off."""
    for position, batch in enumerate(BATCHES):
        if number <= batch.cutoff:
            return position
    return NOT_DELIVERED


@cache
def d1(number: int) -> str:
    """`2014-03-05`."""
    return to_date(number).isoformat()


@cache
def d2(number: int) -> str:
    """`2011/3/5`."""
    found = to_date(number)
    return f"{found.year}/{found.month}/{found.day}"


@cache
def d3(number: int) -> str:
    """`20110305`."""
    return to_date(number).strftime("%Y%m%d")


@cache
def d4(number: int) -> str:
    """`2014年3月5日`."""
    found = to_date(number)
    return f"{found.year}年{found.month}月{found.day}日"


def d6(number: int, form: int) -> str:
    """A month: `2015年3月`, `2015-03` or `2015.3` for form 0, 1, 2."""
    found = to_date(number)
    return (f"{found.year}年{found.month}月", f"{found.year}-{found.month:02d}", f"{found.year}.{found.month}")[form]


def d7(number: int, form: int) -> str:
    """A year: `2003年` or `2003` for form 0, 1."""
    return (f"{to_date(number).year}年", f"{to_date(number).year}")[form]


def _hms(second: int) -> tuple[int, int, int]:
    rest = second % SECONDS
    return rest // 3600, rest % 3600 // 60, rest % 60


def t1(second: int) -> str:
    """`2014-03-05 08:12:33`."""
    h, m, s = _hms(second)
    return f"{d1(second // SECONDS)} {h:02d}:{m:02d}:{s:02d}"


def t2(second: int) -> str:
    """`2011/3/5 8:12`."""
    h, m, _ = _hms(second)
    return f"{d2(second // SECONDS)} {h}:{m:02d}"


def t3(second: int) -> str:
    """Oracle's 12-hour form, e.g. `05-3月 -14 08.12.33.000000 上午`."""
    h, m, s = _hms(second)
    found = to_date(second // SECONDS)
    month = f"{found.month}月 " if found.month < 10 else f"{found.month}月"
    half = "上午" if h < 12 else "下午"
    return f"{found.day:02d}-{month}-{found.year % 100:02d} {(h + 11) % 12 + 1:02d}.{m:02d}.{s:02d}.000000 {half}"


def t4(second: int) -> str:
    """`2014-03-05T08:12:33`."""
    return t1(second).replace(" ", "T")
