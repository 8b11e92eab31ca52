"""How numbers are written: counts, shares, p-values, hazard ratios, intervals, medians.

One place, so that the same estimate reads the same in a table, a caption and a figure. Missing in, missing out: a
null, a NaN or an infinity is written as a dash and never as a number.

What does not belong here: estimating, rounding for storage, and HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

MISSING = "–"
PERCENT = "\u00a0%"
"""The sign with a blank that no line breaks at."""
FEW = 20
"""Below this denominator a percentage suggests a precision that is not there; both counts are written instead."""


def known(value: Any) -> bool:
    """Whether a value is there: not null, and if a number, finite."""
    if value is None:
        return False
    return not isinstance(value, float) or math.isfinite(value)


def count(value: Any) -> str:
    """A whole number with thousands separated by commas."""
    return f"{int(value):,}" if known(value) else MISSING


def count_rows(value: Any) -> str:
    """'1 row', '1,204 rows'."""
    return f"{count(value)} row" if value == 1 else f"{count(value)} rows"


def number(value: Any, digits: int = 3) -> str:
    """A number to so many significant digits, without exponent for everyday sizes."""
    if not known(value):
        return MISSING
    if float(value) == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(float(value)))))
    if places > digits + 4:
        return f"{float(value):.{digits - 1}e}"
    text = f"{float(value):,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Any, places: int = 1) -> str:
    """A share of one as a percentage; a share above zero is never written as zero, nor one below one as all."""
    if not known(share):
        return MISSING
    smallest = 10.0**-places
    value = 100.0 * float(share)
    if 0 < value < smallest / 2:
        return f"<{smallest:.{places}f}{PERCENT}"
    if 100 - smallest / 2 < value < 100:
        return f">{100 - smallest:.{places}f}{PERCENT}"
    return f"{value:.{places}f}{PERCENT}"


def threshold(share: Any) -> str:
    """A share that somebody chose, such as a tolerance or a confidence level: as short as it was chosen."""
    return f"{100 * float(share):.6g}{PERCENT}" if known(share) else MISSING


def n_percent(n: Any, total: Any) -> str:
    """A count with its percentage; no decimals below a hundred, and 'n of N' below `FEW`."""
    if not known(n) or not known(total) or total == 0:
        return count(n)
    if total < FEW:
        return f"{count(n)} of {count(total)}"
    return f"{count(n)} ({percent(n / total, 0 if total < 100 else 1)})"


def few(n: Any, floor: int) -> str:
    """A count, or '<floor' when it is above zero and below the floor: the disclosure rule of small cells."""
    if not known(n):
        return MISSING
    return f"<{floor}" if 0 < n < floor else count(n)


def p_value(p: Any) -> str:
    """'<0.001', three decimals below 0.1, two above, never 0 and never 1."""
    if not known(p):
        return MISSING
    if p < 0.001:
        return "<0.001"
    if p > 0.99:
        return ">0.99"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def ratio(value: Any, places: int = 2) -> str:
    """A hazard ratio: two decimals; beyond 0.01 and 100 only the direction carries information."""
    if not known(value):
        return MISSING
    if value < 0.01:
        return "<0.01"
    return ">100" if value > 100 else f"{value:.{places}f}"


def ratio_interval(value: Any, lower: Any, upper: Any) -> str:
    """'1.23 (1.01–1.50)'; as many as four decimals where two would put a limit on 1 that is not."""
    if not known(value):
        return MISSING
    if not known(lower) or not known(upper):
        return f"{ratio(value)} ({MISSING})"
    near = next((places for places in (2, 3) if 1 not in (round(lower, places), round(upper, places))), 4)
    places = 2 if 1 in (lower, upper) else near
    return f"{ratio(value, places)} ({ratio(lower, places)}–{ratio(upper, places)})"


def share_interval(value: Any, lower: Any, upper: Any) -> str:
    """'67.1 % (62.9–71.4 %)' from shares of one; without limits only the estimate."""
    if not known(value):
        return MISSING
    if not known(lower) or not known(upper):
        return percent(value)
    return f"{percent(value)} ({percent(lower).removesuffix(PERCENT)}–{percent(upper)})"


def plain(value: Any) -> str:
    """Any cell of a frame as text: numbers short, dates ISO, lists joined, null as a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | pl.Series):
        return ", ".join(plain(item) for item in value)
    return MISSING if value is None else str(value)


def words(name: Any) -> str:
    """A column or term name as words: 'bilirubin_total' reads 'Bilirubin total'."""
    text = str(name).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def rows(frame: pl.DataFrame, *columns: str) -> list[dict[str, Any]]:
    """The rows of a frame as mappings that carry at least the named columns, absent ones as null."""
    blank = dict.fromkeys(columns)
    return [blank | row for row in frame.iter_rows(named=True)]


def require(page: str, frames: Mapping[str, tuple[pl.DataFrame, Sequence[str]]]) -> None:
    """Refuse frames that have rows but lack columns a page needs; all of them named at once."""
    problems = [
        f"{page}: frame '{name}' has no column '{column}'; it has {', '.join(frame.columns) or 'none'}."
        for name, (frame, needed) in frames.items()
        if frame.height
        for column in needed
        if column not in frame.columns
    ]
    if problems:
        raise ValueError("\n".join(problems))
