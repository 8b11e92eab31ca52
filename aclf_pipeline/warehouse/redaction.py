"""Identifiers out of free text: telephones, identity numbers, record numbers, names and addresses.

What does not belong here: columns that are identifiers themselves (`privacy`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.warehouse.pseudonyms import PseudonymKey

_HAN = r"[\u3400-\u9fff\U00020000-\U0003ffff]"
_NAME = re.compile(rf"{_HAN}{{2,4}}")
_NO_NAMES = frozenset(
    (
        "本人", "配偶", "子女", "父母", "家属", "其他", "其他家属", "丈夫", "妻子", "儿子", "女儿", "父亲", "母亲",
        "兄弟", "姐妹", "朋友", "同事", "护士", "医生", "医师", "不详", "未知", "无名氏", "失访",
    )
)  # fmt: skip
_LONG_NUMBER = re.compile(r"\d{3}")
_RECORD = re.compile(r"(?<!\d)\d{6,7}(?!\d)")
_RECORD_DIGITS = 7
_SPACED = re.compile(rf"(?<={_HAN})[ \t　]+(?={_HAN})")
_HAN_RUN = re.compile(rf"{_HAN}{{2,}}")
# one character for one, so that a place in the reading is the place in the text
_WIDTH = str.maketrans("０１２３４５６７８９＋－Ｘｘ　（）", "0123456789+-Xx ()")
_AREA = rf"(?:{_HAN}{{2,8}}?(?:省|自治区|市|自治州|地区|县|旗|区))"
_STREET = r"(?:路|街|大道|道|巷|里|弄|胡同|村|镇|乡|小区|花园|社区)"
_NUMBER = r"(?:\d+(?:号楼|号院|号|弄|栋|幢|座|单元|层|楼|组|室|房))"
_PATTERNS = (
    (
        "identity number",
        "[身份证号]",
        re.compile(r"(?<!\d)(?:\d{6}[ -]?\d{4}[ -]?\d{4}[ -]?\d{3}[\dXx]|\d{15})(?![\dXx])"),
    ),
    (
        "telephone",
        "[电话]",
        re.compile(
            r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
            r"|(?<!\d)\(?0\d{2,3}\)?[ -]?[2-9]\d{6,7}(?!\d)"
        ),
    ),
    (
        "address",
        "[地址]",
        re.compile(
            rf"{_AREA}{{1,4}}{_HAN}{{0,12}}?{_STREET}{_HAN}{{0,6}}{_NUMBER}+"
            rf"|{_AREA}{{1,4}}{_HAN}{{1,6}}(?:镇|乡){_HAN}{{1,6}}村"
            rf"|{_HAN}{{1,3}}(?:路|街|大道|巷|弄|胡同|村|小区|花园){_NUMBER}+"
        ),
    ),
)
_ADDRESS_WORDS = re.compile("[号栋幢室房弄组村]")


@dataclass
class Known:
    """What is known of the persons in a delivery: names in clear, in memory only, and pseudonyms of record numbers."""

    names: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    hashed_names: frozenset[str] = frozenset()
    """Pseudonyms of patients' names that came with earlier deliveries; the names themselves were never kept."""

    def add_names(self, values: Iterable[str], *, is_patient: bool) -> None:
        """Remember names of patients, and of contacts and staff where they look like names."""
        for value in values:
            if len(value) > 1 and (is_patient or _NAME.fullmatch(value)) and value not in _NO_NAMES:
                self.names.add(value)


@dataclass(frozen=True)
class Redaction:
    """A text without its identifiers, and how many of which kind were there, e.g. `1 name, 1 telephone`."""

    text: str
    seen: str


class Redactor:
    """Redacts texts by what is known when it is made."""

    def __init__(self, known: Known, key: PseudonymKey) -> None:
        self._known, self._key = known, key
        self._names = sorted(known.names, key=len, reverse=True)
        self._tried: dict[str, bool] = {}

    def redact(self, texts: Sequence[str]) -> dict[str, Redaction]:
        """The redaction of every distinct text that holds an identifier; other texts are left out."""
        named = self._with_names(texts)
        changed = {}
        for text in texts:
            counts: Counter[str] = Counter()
            became = text
            for what, mark, pattern in _PATTERNS:
                reading = became.translate(_WIDTH)
                if (_ADDRESS_WORDS if what == "address" else _LONG_NUMBER).search(reading):
                    became = _without(pattern, mark, became, reading, counts, what)
            became = self._without_records(became, counts)
            for name in named.get(text, ()):
                became = _without(_spelled(name), "[姓名]", became, became, counts, "name")
            if counts.total():
                changed[text] = Redaction(became, ", ".join(f"{n} {what}" for what, n in sorted(counts.items()) if n))
        return changed

    def _with_names(self, texts: Sequence[str]) -> dict[str, list[str]]:
        """The names in each text that has one, the longest first, also where blanks stand inside a name."""
        closed = {text: _SPACED.sub("", text) for text in texts}
        found: dict[str, list[str]] = {}
        if self._names and closed:
            series = pl.Series("text", list(closed.values()), dtype=pl.String)
            holds = series.str.contains_any(self._names)
            for text, has_one in zip(closed, holds, strict=True):
                if has_one:
                    found[text] = [name for name in self._names if name in closed[text]]
        if self._known.hashed_names:
            for text, reading in closed.items():
                found.setdefault(text, []).extend(self._earlier_names(reading))
        return found

    def _earlier_names(self, text: str) -> list[str]:
        """Stretches of two to four Han characters whose pseudonym is that of a patient delivered before."""
        pieces = {
            run[0][at : at + length]
            for run in _HAN_RUN.finditer(text)
            for length in (4, 3, 2)
            for at in range(len(run[0]) - length + 1)
        }
        return sorted((piece for piece in pieces if self._is_earlier_name(piece)), key=len, reverse=True)

    def _is_earlier_name(self, piece: str) -> bool:
        if piece not in self._tried:
            self._tried[piece] = self._key.pseudonym("name", piece) in self._known.hashed_names
        return self._tried[piece]

    def _without_records(self, text: str, counts: Counter[str]) -> str:
        def is_record(number: str) -> bool:
            return self._key.pseudonym("record_number", number.zfill(_RECORD_DIGITS)) in self._known.records

        return _without(_RECORD, "[病案号]", text, text.translate(_WIDTH), counts, "record number", is_record)


def _spelled(name: str) -> re.Pattern[str]:
    """A name, with or without blanks between its characters."""
    return re.compile(r"[ \t　]*".join(re.escape(character) for character in name))


def _without(
    pattern: re.Pattern[str],
    mark: str,
    text: str,
    reading: str,
    counts: Counter[str],
    what: str,
    holds: Callable[[str], bool] = lambda found: True,  # noqa: ARG005
) -> str:
    """The text with a mark for every match of the pattern in its reading, which has the same places."""
    pieces, at = [], 0
    for found in pattern.finditer(reading):
        if holds(found[0]):
            pieces += [text[at : found.start()], mark]
            at = found.end()
            counts[what] += 1
    return "".join([*pieces, text[at:]])
