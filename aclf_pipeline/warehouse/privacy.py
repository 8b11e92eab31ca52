"""Direct identifiers stop here: hashed under a secret key, reduced to month and year, redacted, or dropped.

Pseudonyms are HMAC-SHA256 (RFC 2104) of `<identifier>:<normalised value>`, the first 16 hexadecimal digits, behind a
letter for the kind of identifier. Facts that only the clear text shows are taken before it is gone. Each distinct value
is treated once, so the cost does not grow with the rows.

What does not belong here: which column is of which class (source.yaml) and what redaction looks for (`redaction`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from aclf_pipeline.warehouse.findings import Finding, RefusedError
from aclf_pipeline.warehouse.headers import Layout
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.redaction import Known, Redactor
from aclf_pipeline.warehouse.sources import Column, Source

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d+")
_LOST_DIGITS = re.compile(r"\d{15}000")
_DAMAGE = re.compile("[?？\ufffd]")
_DATE = re.compile(
    r"(?:(?P<y1>\d{4})[-/.](?P<m1>\d{1,2})[-/.](?P<d1>\d{1,2})(?:[ T].*)?"
    r"|(?P<y2>\d{4})年(?P<m2>\d{1,2})月(?P<d2>\d{1,2})日"
    r"|(?P<y3>\d{4})(?P<m3>\d{2})(?P<d3>\d{2}))"
)
_SERIAL = re.compile(r"\d{3,5}")
_EXCEL_DAY_0 = date(1899, 12, 30)
_FIRST_BIRTH = date(1900, 1, 2)


@dataclass
class Protected:
    """Cells fit to be stored; redactions (row in the frame, column, what was seen); names that lost a character."""

    frame: pl.DataFrame
    redactions: list[tuple[int, str, str]] = field(default_factory=list)
    damaged_names: list[tuple[int, str]] = field(default_factory=list)


class Privacy:
    """Applies the privacy classes of a source. Keeps names in memory, for redaction, as long as it lives."""

    def __init__(self, source: Source, key: PseudonymKey, known: Mapping[str, set[str]] | None = None) -> None:
        """`known` holds the pseudonyms of earlier deliveries, by identifier."""
        known = known or {}
        self._source, self._key = source, key
        self._known = Known(records=set(known.get("record_number", ())), hashed_names=frozenset(known.get("name", ())))

    def is_sound_key(self, layout: Layout) -> Callable[[list[str]], bool]:
        """A test of a record's fields: every record number in it is blank or of the right form."""
        sound = []
        for column in layout.form.columns:
            pattern = self._source.identifiers[column.as_].pattern if column.as_ else None
            if column.as_ == "record_number" and pattern and column.name in layout.places:
                sound.append((layout.places[column.name], re.compile(pattern)))
        return lambda fields: all(
            self._is_blank(fields[at]) or pattern.fullmatch(normalise(fields[at])) for at, pattern in sound
        )

    def names_in(self, text: str) -> bool:
        """Whether a text, cut at blanks, dots and underscores, holds a name met so far."""
        return any(part in self._known.names for part in re.split(r"[\s_.\-()（）]+", text))

    def protect(self, cells: pl.DataFrame, layout: Layout) -> Protected:
        """The cells as they may be stored: one column per stored column of the form, by its name, all text.

        `cells` has column str(i) for place i of the header. Listed columns that are absent are null. Raises
        RefusedError (`excel_id_scientific`) when identifiers were destroyed by a spreadsheet.
        """
        columns = layout.form.columns
        present = {c.name: cells.get_column(str(layout.places[c.name])) for c in columns if c.name in layout.places}
        for column in columns:
            if column.name in present:
                self._learn(column, present[column.name])
        stored: dict[str, pl.Series | pl.Expr] = {}
        redactions: list[tuple[int, str, str]] = []
        damaged: list[tuple[int, str]] = []
        for column in columns:
            values = present.get(column.name)
            if values is None:
                stored |= {name: pl.lit(None, dtype=pl.String) for name in column.stored}
            elif column.phi == "F":
                stored[column.name], found = self._redacted(values)
                redactions += [(row, column.name, seen) for row, seen in found]
            elif column.phi in ("K", "Q"):
                stored |= self._reduced(column, values)
                if column.as_ == "name":
                    damaged += [(row, column.name) for row in values.str.contains(_DAMAGE.pattern).arg_true()]
            elif column.phi != "D":
                stored[column.name] = values
        frame = cells.select([(e if isinstance(e, pl.Expr) else pl.lit(e)).alias(n) for n, e in stored.items()])
        return Protected(frame, redactions, damaged)

    def _is_blank(self, value: str | None) -> bool:
        return value is None or normalise(value) in self._source.blank_texts

    def _learn(self, column: Column, values: pl.Series) -> None:
        """Remember names and record numbers for redaction; refuse identifiers that lost their digits."""
        if column.phi not in ("K", "D"):
            return
        normal = [normalise(value) for value in values.unique() if value is not None]
        distinct = [value for value in normal if value not in self._source.blank_texts]
        if column.as_ == "record_number":
            self._known.records |= {self._key.pseudonym("record_number", self._padded(v) or v) for v in distinct}
        elif column.as_ != "national_id":
            self._known.add_names(distinct, is_patient=column.as_ == "name")
        if column.phi == "K" and column.as_ != "name":
            _refuse_lost_digits(column, values, distinct)

    def _padded(self, value: str) -> str | None:
        """A number with the zeros that a spreadsheet may have taken away; None where it is as long as it should be."""
        pad = self._source.identifiers["record_number"].pad
        if pad is None or len(value) >= pad or not value.isascii() or not value.isdigit():
            return None
        return value.zfill(pad)

    def _redacted(self, values: pl.Series) -> tuple[pl.Series, list[tuple[int, str]]]:
        texts = [text for text in values.unique() if text]
        changed = Redactor(self._known, self._key).redact(texts)
        if not changed:
            return values, []
        became = values.replace({text: redaction.text for text, redaction in changed.items()})
        rows = values.is_in(list(changed)).arg_true()
        return became, [(row, changed[values[row]].seen) for row in rows]

    def _reduced(self, column: Column, values: pl.Series) -> dict[str, pl.Series]:
        """Pseudonym or month, and what goes with it, of each distinct value."""
        distinct = [value for value in values.unique() if value is not None]
        answers = {value: self._answer(column, value) for value in distinct}
        return {
            name: values.replace_strict({v: answer[place] for v, answer in answers.items()}, return_dtype=pl.String)
            if answers
            else values
            for place, name in enumerate(column.stored)
        }

    def _answer(self, column: Column, value: str) -> tuple[str | None, ...]:
        identifier, clear = str(column.as_), normalise(value)
        if clear in self._source.blank_texts:
            return (None,) * len(column.stored)
        if column.phi == "Q":
            month = birth_month(value)
            return (month, None if month else "impossible")
        if identifier == "national_id":
            clear, facts = national_id_facts(clear)
            return (self._key.pseudonym(identifier, clear), *facts)
        if identifier == "record_number":
            padded = self._padded(clear)
            return (self._key.pseudonym(identifier, clear), padded and self._key.pseudonym(identifier, padded))
        if identifier == "name":
            return (self._key.pseudonym(identifier, clear), "true" if _DAMAGE.search(value) else None)
        return (self._key.pseudonym(identifier, clear),)


def normalise(value: str) -> str:
    """An identifier in the form in which it is compared: NFKC, no blanks, capital letters."""
    return "".join(unicodedata.normalize("NFKC", value).split()).upper()


def national_id_facts(number: str) -> tuple[str, tuple[str, str | None, str | None]]:
    """An identity number in its 18-place form, and (valid, birth month, sex) as texts.

    GB 11643-1999: 17 digits and a check character by ISO 7064 MOD 11-2; digits 7 to 14 the birth date, digit 17 odd for
    male. A number of 15 digits (first generation) has no check character: it gets `19` after its sixth digit, and the
    check character. An invalid number gives no month and no sex.
    """
    if re.fullmatch(r"\d{15}", number):
        number = number[:6] + "19" + number[6:]
        number += check_character(number)
    if not re.fullmatch(r"\d{17}[\dX]", number) or check_character(number[:17]) != number[17]:
        return number, ("false", None, None)
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return number, ("false", None, None)
    return number, ("true", f"{born:%Y-%m}", "male" if int(number[16]) % 2 else "female")


def check_character(seventeen: str) -> str:
    """The check character of 17 digits, ISO 7064 MOD 11-2 with the weights of GB 11643-1999."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(seventeen, _WEIGHTS, strict=True)) % 11]


def birth_month(value: str) -> str | None:
    """`YYYY-MM` of a birth date in a listed form; None when it is in none, is no day of the calendar, or before 1900.

    Forms: YYYY-MM-DD, YYYY/M/D, YYYYMMDD, YYYY年M月D日 and the day number of a spreadsheet (1900 system).
    """
    text = unicodedata.normalize("NFKC", value).strip()
    try:
        if _SERIAL.fullmatch(text):
            day = _EXCEL_DAY_0 + timedelta(days=int(text))
        elif found := _DATE.fullmatch(text):
            year, month, number = (int(part) for part in found.groups() if part is not None)
            day = date(year, month, number)
        else:
            return None
    except ValueError:
        return None
    return f"{day:%Y-%m}" if day >= _FIRST_BIRTH else None


def _refuse_lost_digits(column: Column, values: pl.Series, distinct: list[str]) -> None:
    """A spreadsheet keeps 15 digits of a number: the rest is lost, and no pseudonym of such a number means anything."""
    lost = {value for value in distinct if _SCIENTIFIC.fullmatch(value)}
    if column.as_ == "national_id":
        long = [value for value in distinct if len(value) == 18]
        if len(long) > 1 and all(_LOST_DIGITS.fullmatch(value) for value in long):
            lost |= set(long)
    if lost:
        rows = sum(1 for value in values if value is not None and normalise(value) in lost)
        raise RefusedError(
            Finding(
                "excel_id_scientific",
                f"Column '{column.name}': {rows} values were cut to 15 digits by a spreadsheet and cannot be recovered",
                "Export the file again without opening it in a spreadsheet, and deliver the batch as _r<N>.",
            )
        )
