"""Where the records of a delimited text begin and end, how many fields each has, and on which physical line it starts.

RFC 4180: quote `"`, doubled inside; a line break inside quotes belongs to the field. The structure is computed over the
whole text at once from the places of quotes, delimiters and line ends. Where quotes do not stand as the standard says,
the text is read record by record instead; no heuristic is trusted silently.

What does not belong here: what a short or long record means (`csv_records`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUOTE, LF, CR = 34, 10, 13
MOST_LINES = 40
"""Physical lines one quoted field of an irregular text may span before its record is given up."""

Offsets = NDArray[np.int64]


@dataclass(frozen=True)
class Structure:
    """Records of a text, the header included. Record i is `text[starts[i]:ends[i]]`, line end not counted.

    `counts` is its number of fields, 0 where quotes make it unreadable; `lines` its physical line, from 1.
    `is_regular` says that all quotes stand as RFC 4180 has them.
    """

    starts: Offsets
    ends: Offsets
    counts: Offsets
    lines: Offsets
    is_regular: bool

    def __len__(self) -> int:
        return len(self.starts)


def structure_of(text: bytes, delimiter: str) -> Structure:
    """The records of a UTF-8 text. An empty text has none."""
    octets = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(octets == QUOTE)
    if not _is_regular(octets, quotes, ord(delimiter)):
        return _read_one_by_one(text, delimiter)
    newlines = np.flatnonzero(octets == LF)
    delimiters = np.flatnonzero(octets == ord(delimiter))
    breaks = _outside(newlines, quotes)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [len(text)]))
    if starts[-1] == len(text):
        starts, ends = starts[:-1], ends[:-1]
    places = np.searchsorted(_outside(delimiters, quotes), np.stack((starts, ends)))
    lines = np.searchsorted(newlines, starts) + 1
    return Structure(starts, _without_cr(octets, starts, ends), places[1] - places[0] + 1, lines, is_regular=True)


def _outside(places: Offsets, quotes: Offsets) -> Offsets:
    """Those places that stand outside quotes: an even number of quotes before them."""
    if not len(quotes):
        return places
    return places[np.searchsorted(quotes, places) % 2 == 0]


def _without_cr(octets: NDArray[np.uint8], starts: Offsets, ends: Offsets) -> Offsets:
    has_cr = (ends > starts) & (octets[np.maximum(ends - 1, 0)] == CR)
    return ends - has_cr


def _is_regular(octets: NDArray[np.uint8], quotes: Offsets, delimiter: int) -> bool:
    """Every opening quote follows a delimiter, a line end, the start, or a quote; closing quotes likewise."""
    if len(quotes) % 2:
        return False
    if not len(quotes):
        return True
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, octets[np.maximum(opening - 1, 0)], LF)
    last = len(octets) - 1
    after = np.where(closing < last, octets[np.minimum(closing + 1, last)], LF)
    opens = np.isin(before, (delimiter, LF, QUOTE))
    closes = np.isin(after, (delimiter, LF, CR, QUOTE))
    return bool(opens.all() and closes.all())


def _field(delimiter: str) -> re.Pattern[str]:
    d = re.escape(delimiter)
    return re.compile(rf'(?:"((?:[^"]|"")*+)"|([^"{d}][^{d}\n]*+|))({d}|$)', re.DOTALL)


def split_record(record: str, delimiter: str) -> list[str] | None:
    """The fields of one record, unquoted; None when its quotes are not those of RFC 4180.

    A quote inside an unquoted field is taken as it stands.
    """
    field = _field(delimiter)
    fields, at = [], 0
    while True:
        found = field.match(record, at)
        if found is None or (found[3] == "" and found.end() != len(record)):
            return None
        fields.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        if found[3] == "":
            return fields
        at = found.end()


def _read_one_by_one(text: bytes, delimiter: str) -> Structure:
    """The slow way: line by line, joining lines while a quoted field is open, for at most `MOST_LINES` lines."""
    lines = text.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    offsets = np.concatenate(([0], np.cumsum([len(line) + 1 for line in lines], dtype=np.int64)))
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(lines):
        taken, count = _one_record(lines, at, delimiter)
        found.append((at, at + taken, count))
        at += taken
    first, behind, counts = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
    starts, ends = offsets[first], np.minimum(offsets[behind] - 1, len(text))
    octets = np.frombuffer(text, dtype=np.uint8)
    return Structure(starts, _without_cr(octets, starts, ends), counts, first + 1, is_regular=False)


def _one_record(lines: list[bytes], at: int, delimiter: str) -> tuple[int, int]:
    """How many lines the record at a line takes, and its number of fields; (1, 0) when it cannot be read."""
    for taken in range(1, min(MOST_LINES, len(lines) - at) + 1):
        record = b"\n".join(lines[at : at + taken]).decode("utf-8").removesuffix("\r")
        fields = split_record(record, delimiter)
        if fields is not None:
            return taken, len(fields)
        if record.count('"') % 2 == 0 and taken == 1:
            return 1, 0
    return 1, 0
