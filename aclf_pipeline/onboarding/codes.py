"""Candidate mappings of laboratory codes and units, each with its evidence and the share of rows it covers.

An analyte is looked for by LOINC, then by name, then by code: one code may stand for two things, a name seldom does. A
unit is a spelling of UCUM put right by rule. What fits nowhere is listed too.

What does not belong here: factors between units and limits (analytes.yaml), and deciding (a person).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from aclf_pipeline.onboarding.kinds import Form, GuessedKind
from aclf_pipeline.onboarding.lexicon import lexicon
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.protocol.models import Analyte
from aclf_pipeline.protocol.units import is_ucum

MOST_CODES = 3000
"""More different pairs than this are no code list: nothing of them is written down."""

_LOINC = re.compile(r"^\d{1,5}-\d$")
_WORD = re.compile(r"[a-z]{2,}")
_POWER = re.compile(r"^(?:[x×*])?10[\^e*]?(\d{1,2})/", re.IGNORECASE)
_SPELLINGS = {
    "ratio": "1", "sec": "s", "second": "s", "seconds": "s", "秒": "s", "mmhg": "mm[Hg]", "℃": "Cel", "°c": "Cel",
    "s/co": "{S_CO}", "coi": "{COI}", "copies/ml": "{copies}/mL", "拷贝/ml": "{copies}/mL", "k/ul": "10*3/uL",
    "thou/ul": "10*3/uL", "mm/hr": "mm/h", "mm/hour": "mm/h", "none": "1", "bpm": "/min", "次/分": "/min",
}  # fmt: skip
_RULES = (
    (r"(?<!\[)IU", "[IU]"), (r"mEq", "meq"), (r"/uL?l$|/ul$", "/uL"), (r"/([dm]?)[lL]$", r"/\1L"), (r"^[uU]/", "U/"),
    (r"^G/L$", "g/L"), (r"^(.+/m?L)(FEU|DDU)$", r"\1{\2}"),
)  # fmt: skip
"""Spellings put right, in this order."""


@dataclass(frozen=True)
class Mapped:
    """One pair of code and name in one unit, with what it seems to be; `analyte` is None where nothing fits."""

    code: str
    name: str
    unit_text: str
    unit: str | None
    rows: int
    share: float
    analyte: str | None
    loinc: str | None
    because: str


@dataclass(frozen=True)
class MappedUnit:
    """One spelling of a unit."""

    text: str
    unit: str | None
    rows: int
    share: float
    because: str


@dataclass(frozen=True)
class Mappings:
    """What a laboratory form's codes and units seem to mean; `refused` says why nothing was listed."""

    codes: tuple[Mapped, ...] = ()
    units: tuple[MappedUnit, ...] = ()
    refused: str | None = None

    @cached_property
    def covered(self) -> tuple[float, float]:
        """The shares of rows whose code, and whose unit, has a candidate; a blank unit counts as one."""
        codes = sum(one.share for one in self.codes if one.analyte)
        units = sum(one.share for one in self.units if one.unit)
        return codes, units + (1 - sum(one.share for one in self.units))


def map_codes(form: Form, kind: GuessedKind, protocol: Protocol) -> Mappings:
    """Candidates for every (code, name, unit) of a laboratory form, the commonest first."""
    sought = {target: kind.column_of(target) for target in ("source_code", "source_name", "unit_text", "loinc")}
    hidden = [column.name for column in form.columns if column.phi != "-" and column.name in sought.values()]
    told = {target: name for target, name in sought.items() if name is not None and name not in hidden}
    if not {"source_code", "source_name"} & told.keys():
        return Mappings(refused=f"the columns of codes and names may name persons: {', '.join(hidden)}")
    counted = _counted(form, told)
    total = int(counted["rows"].sum())
    if counted.height > min(MOST_CODES, max(50, total // 10)):
        return Mappings(refused=f"{counted.height:,} different pairs in {total:,} rows are no list of codes")
    finder = Finder(protocol.analytes)
    codes = [_mapped(row, total, finder) for row in counted.iter_rows(named=True)]
    return Mappings(tuple(codes), tuple(_units(codes, total)))


def _counted(form: Form, told: Mapping[str, str]) -> pl.DataFrame:
    """source_code, source_name, unit_text, loinc, rows: every combination, the commonest first."""
    targets = ("source_code", "source_name", "unit_text", "loinc")
    parts = [
        file.rows.select(
            (pl.col(told[t]).fill_null("").str.strip_chars() if told.get(t) in file.rows.columns else pl.lit("")).alias(
                t
            )
            for t in targets
        )
        .group_by(targets)
        .agg(pl.len().alias("rows"))
        for file in form.files
        if file.rows.height
    ]
    counted = pl.concat(parts).group_by(targets).agg(pl.col("rows").sum())
    return counted.sort("rows", *targets, descending=[True, False, False, False, False])


def _mapped(row: Mapping[str, str | int], total: int, finder: Finder) -> Mapped:
    code, name, unit_text, loinc = (str(row[t]) for t in ("source_code", "source_name", "unit_text", "loinc"))
    blank = unit_text in lexicon().blanks
    analyte, because = finder.find(code, name, loinc)
    unit, _ = read_unit("" if blank else unit_text, analyte)
    chosen = None
    if analyte is not None and unit is not None and unit not in analyte.factors:
        analyte, because = finder.relative(analyte, unit)
    if analyte is not None:
        chosen, why = finder.loinc(analyte, unit, loinc, blank=blank)
        because = f"{because}; {why}"
    rows = int(row["rows"])
    return Mapped(
        code,
        name,
        "" if blank else unit_text,
        unit,
        rows,
        rows / total,
        analyte.id if analyte else None,
        chosen,
        because,
    )


class Finder:
    """Analytes of the protocol by LOINC, alias, id and the words of their description."""

    def __init__(self, analytes: Mapping[str, Analyte]) -> None:
        self._analytes = analytes
        self._aliases: dict[str, list[Analyte]] = {}
        for analyte in analytes.values():
            for word in {bare(alias) for alias in (*analyte.aliases, analyte.id, analyte.says)}:
                self._aliases.setdefault(word, []).append(analyte)
        self._loincs = {loinc: analyte for analyte in analytes.values() for loinc in analyte.loinc}
        self._bags = {
            frozenset(_WORD.findall(text.lower())): analyte
            for analyte in analytes.values()
            for text in (analyte.id, analyte.says)
        }

        stemmed: dict[frozenset[str], set[str]] = {}
        for bag, analyte in self._bags.items():
            stemmed.setdefault(_stems(" ".join(bag)), set()).add(analyte.id)
        self._stemmed = {stems: analytes[next(iter(ids))] for stems, ids in stemmed.items() if len(ids) == 1}

    def find(self, code: str, name: str, loinc: str = "") -> tuple[Analyte | None, str]:
        """The analyte a code and a name seem to mean, and why."""
        for text in (loinc, code):
            if _LOINC.match(text) and text in self._loincs:
                return self._loincs[text], f"LOINC {text} stands in the row"
        by_name, by_code = self._alias(name), self._alias(code)
        if by_name and by_code and by_name is not by_code:
            return by_name, f"the name is an alias of it, while the code is one of {by_code.id}: the name counts"
        if by_name:
            return by_name, "name and code are aliases of it" if by_code else "the name is an alias of it"
        if by_code and not name:
            return by_code, "the code is an alias of it"
        if by_code:
            return by_code, "the code is an alias of it; the name is not known"
        for text in (name, code):
            bag = frozenset(_WORD.findall(text.lower().replace("_", " ")))
            if bag and bag in self._bags:
                return self._bags[bag], "the same words as its description"
        for text in (name, code):
            if (stems := _stems(text)) and stems in self._stemmed:
                return self._stemmed[stems], "WEAK: the same words as its description, but for their endings"
        inside = self._inside(bare(name))
        if inside is not None:
            return inside, "WEAK: the name holds an alias of it"
        return None, "no analyte of the protocol has this name or code"

    def relative(self, analyte: Analyte, unit: str) -> tuple[Analyte | None, str]:
        """The one analyte of the same family that accepts the unit, as the percentage beside the count; and why."""
        family = analyte.id.split("_")[0]
        found = [one for one in self._analytes.values() if one.id.split("_")[0] == family and unit in one.factors]
        if len(found) == 1:
            return found[0], f"WEAK: named as {analyte.id}, which does not accept {unit}; this one of its family does"
        return None, f"named as {analyte.id}, which does not accept {unit}"

    def loinc(self, analyte: Analyte, unit: str | None, given: str, *, blank: bool) -> tuple[str | None, str]:
        """A code for the analyte in this unit, and why: the row's own, else the protocol's for mass or for moles."""
        if given in analyte.loinc:
            return given, "its own LOINC"
        if not analyte.loinc:
            return None, "the protocol has no LOINC for it"
        if len(analyte.loinc) == 1 or blank or unit == analyte.unit:
            return analyte.loinc[0], "first LOINC of the protocol, which is that of its unit"
        if unit in analyte.factors:
            return analyte.loinc[1], f"in another unit, so another LOINC of {', '.join(analyte.loinc)}: CHECK"
        return None, "no LOINC without a unit it accepts"

    def _alias(self, text: str) -> Analyte | None:
        found = self._aliases.get(bare(text), []) if text else []
        return found[0] if len(found) == 1 else None

    def _inside(self, text: str) -> Analyte | None:
        """The analyte of the longest alias of three letters or more (two of Han) inside a text, if it is one alone."""
        held = [
            alias for alias in self._aliases if len(alias) >= (2 if ord(alias[0]) > 0x2E80 else 4) and alias in text
        ]
        longest = max(map(len, held), default=0)
        found = {one.id for alias in held if len(alias) == longest for one in self._aliases[alias]}
        return self._analytes[found.pop()] if len(found) == 1 else None


def _stems(text: str) -> frozenset[str]:
    """The words of a text without their plural and without what every count of a laboratory may be called."""
    words = _WORD.findall(text.lower().replace("_", " "))
    return frozenset(word.removesuffix("s") for word in words if word not in ("absolute", "count"))


def bare(text: str) -> str:
    """A name as it is compared: NFKC, lower case, letters, digits, # and % only."""
    plain = unicodedata.normalize("NFKC", text).lower().translate(str.maketrans("γβα", "gba"))
    return re.sub(r"[^\w#%]|_", "", plain)


def read_unit(text: str, analyte: Analyte | None = None) -> tuple[str | None, str]:
    """A spelling in UCUM, and why; None where no rule reads it."""
    plain = unicodedata.normalize("NFKC", text).strip().replace("μ", "u").replace(" ", "")
    if not plain:
        return None, "no unit"
    if plain == "G/L" and analyte is not None and analyte.unit == "10*9/L":
        return "10*9/L", "giga per litre beside a count of cells"
    if known := _SPELLINGS.get(plain.lower()):
        return known, "a usual spelling"
    if power := _POWER.match(plain):
        plain = f"10*{power[1]}/{plain[power.end() :]}"
    for pattern, ucum in _RULES:
        plain = re.sub(pattern, ucum, plain)
    if is_ucum(plain):
        return plain, "UCUM as it stands" if plain == text else "UCUM after its spelling is put right"
    return None, "no rule reads this spelling"


def _units(codes: Sequence[Mapped], total: int) -> list[MappedUnit]:
    rows: dict[str, int] = {}
    for one in codes:
        if one.unit_text:
            rows[one.unit_text] = rows.get(one.unit_text, 0) + one.rows
    found = []
    for text, count in sorted(rows.items(), key=lambda item: (-item[1], item[0])):
        meant = {one.unit for one in codes if one.unit_text == text}
        unit, because = read_unit(text)
        if len(meant - {None}) == 1:
            unit = next(iter(meant - {None}))
        found.append(MappedUnit(text, unit, count, count / total, because))
    return found
