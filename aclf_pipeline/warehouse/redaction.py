"""Identifiers out of free text: telephones, identity numbers, record numbers, names and addresses.

What does not belong here: columns that are identifiers themselves (`privacy`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
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
_LONG_NUMBER = re.compile(r"\d{7}")
_RECORD = re.compile(r"(?<!\d)\d{7}(?!\d)")
_AREA = rf"(?:{_HAN}{{2,8}}?(?:省|自治区|市|自治州|地区|县|旗|区))"
_STREET = r"(?:路|街|大道|道|巷|里|弄|胡同|村|镇|乡|小区|花园|社区)"
_NUMBER = r"(?:\d+(?:号楼|号院|号|弄|栋|幢|座|单元|层|楼|组|室|房))"
_PATTERNS = (
    ("identity number", "[身份证号]", re.compile(r"(?<!\d)(?:\d{17}[\dXx]|\d{15})(?![\dXx])")),
    ("telephone", "[电话]", re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")),
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

    def redact(self, texts: Sequence[str]) -> dict[str, Redaction]:
        """The redaction of every distinct text that holds an identifier; other texts are left out."""
        named = self._with_names(texts)
        changed = {}
        for text in texts:
            counts: Counter[str] = Counter()
            became = text
            for what, mark, pattern in _PATTERNS:
                if not (_ADDRESS_WORDS if what == "address" else _LONG_NUMBER).search(became):
                    continue
                became, found = pattern.subn(mark, became)
                counts[what] += found
            became = self._without_records(became, counts)
            if text in named:
                became = self._without_names(became, counts)
            if counts.total():
                changed[text] = Redaction(became, ", ".join(f"{n} {what}" for what, n in sorted(counts.items()) if n))
        return changed

    def _with_names(self, texts: Sequence[str]) -> set[str]:
        if not self._names or not texts:
            return set()
        series = pl.Series("text", texts, dtype=pl.String)
        return set(series.filter(series.str.contains_any(self._names)))

    def _without_records(self, text: str, counts: Counter[str]) -> str:
        def replace(found: re.Match[str]) -> str:
            if self._key.pseudonym("record_number", found[0]) not in self._known.records:
                return found[0]
            counts["record number"] += 1
            return "[病案号]"

        return _RECORD.sub(replace, text)

    def _without_names(self, text: str, counts: Counter[str]) -> str:
        for name in self._names:
            if name in text:
                counts["name"] += text.count(name)
                text = text.replace(name, "[姓名]")
        return text
