"""Dates that cannot be, in the ways a hospital writes them.

Not here: choosing the rows.
"""

from __future__ import annotations

import re

import numpy as np

from ..clock import SECONDS, t1, to_date


def _impossible(month: int, day: int, clock: str, rng: np.random.Generator) -> str:
    """A date in the future, on no calendar, in an unlisted form, before 1950, or after the last delivery."""
    style = int(rng.integers(5))
    if style == 0:
        return f"2041-{month:02d}-{min(day, 28):02d}{clock}"
    if style == 1:
        return f"{int(rng.integers(2010, 2019))}-02-30{clock}"
    if style == 2:
        return f"{month:02d}/{day:02d}/{int(rng.integers(2010, 2019))}{clock}"
    if style == 3:
        return f"19{int(rng.integers(0, 50)):02d}-{month:02d}-{min(day, 28):02d}{clock}"
    return f"2020-{month:02d}-{min(day, 28):02d}{clock}"


def impossible_instant(second: int, rng: np.random.Generator) -> str:
    """An impossible version of an instant, with its time of day."""
    found = to_date(second // SECONDS)
    return _impossible(found.month, found.day, t1(second)[10:], rng)


def impossible_text(text: str, rng: np.random.Generator) -> str | None:
    """An impossible version of a T1, T4 or D1 text; None where the text has another form."""
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})([ T][\d:]+)?", text)
    if found is None:
        return None
    return _impossible(int(found[2]), int(found[3]), found[4] or "", rng)
