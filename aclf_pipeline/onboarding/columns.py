"""Columns of an unknown file: how full they are, which forms their cells have, and whether they name somebody.

What a column means is guessed from its header; whether it may be shown is guessed from header and cells, and doubt
hides: a column that is not plainly harmless is proposed as not stored. No cell of a hidden column leaves this module.

What does not belong here: which canonical kind a column serves (`kinds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from aclf_pipeline.onboarding.lexicon import base_of, compare, lexicon
from aclf_pipeline.warehouse.privacy import check_character

SAMPLE = 20_000
"""Rows a column's cells are looked at in, evenly spaced; counts of codes and units take all rows."""
CLEAR, MOST = 0.6, 0.95

SHAPES: dict[str, str] = {
    "%Y-%m-%d %H:%M:%S": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
    "%Y-%m-%d %H:%M:%S.%f": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d+$",
    "%Y-%m-%d %H:%M:%S.%f%z": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d+)?[+-]\d{2}:\d{2}$",
    "%Y-%m-%dT%H:%M:%S": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$",
    "%Y-%m-%d %H:%M": r"^\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}$",
    "%Y/%m/%d %H:%M": r"^\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}$",
    "%Y-%m-%d": r"^\d{4}-\d{2}-\d{2}$",
    "%Y/%m/%d": r"^\d{4}/\d{1,2}/\d{1,2}$",
    "%Y.%m.%d": r"^\d{4}\.\d{1,2}\.\d{1,2}$",
    "%Y年%m月%d日": r"^\d{4}年\d{1,2}月\d{1,2}日$",
    "%Y%m%d": r"^(19|20)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])$",
    "Oracle's 12-hour form": r"^\d{2}-\d{1,2}月\s?-\d{2} \d{2}\.\d{2}\.\d{2}",
    "a month or a year": r"^\d{4}([年.\-]\d{1,2})?[年月]?$",
    "number": r"^[<>≤≥＜＞]?\s*-?\d*\.?\d+([eE][+-]?\d+)?$",
}
"""Form → how its cells look; the first that fits counts. Those with % are read by strptime."""

_TELEPHONE = r"^1[3-9]\d{9}$"
_NATIONAL_ID = r"^\d{17}[\dXx]$|^\d{15}$"
_HAN_NAME = r"^[\u4e00-\u9fff\U00020000-\U0002ffff·]{2,4}$"
_LONG_NUMBER = r"\d{6,}"
_WORDY, _USUAL = 14, 0.9
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤"
)
"""The hundred commonest surnames (Ministry of Public Security of China, yearly report on names)."""


@dataclass(frozen=True)
class Profile:
    """One column of a form, and what is guessed of it. `shapes`: form of the cells → its share of the filled ones."""

    name: str
    rows: int
    filled: int
    distinct: int
    shapes: dict[str, float]
    phi: str
    as_: str | None
    evidence: str
    """Why it has this privacy class."""
    is_sure: bool
    """Header and cells agree, or the header alone is plain and nothing in the cells speaks against it."""

    @property
    def formats(self) -> list[str]:
        """The strptime forms met."""
        return [shape for shape in self.shapes if shape.startswith("%")]

    @property
    def share(self) -> str:
        """How full it is."""
        return f"{self.filled / self.rows:.1%}" if self.rows else "no row"


def is_code(name: str) -> bool:
    """Whether a column seems to hold codes or names of laboratory items."""
    columns = lexicon().kinds["labs"].columns
    return any(compare(name, columns[target]) is not None for target in ("source_code", "source_name"))


def profiles(frames: Sequence[pl.DataFrame]) -> list[Profile]:
    """Every column of the files of one form, in the order of their first appearance."""
    names = list(dict.fromkeys(name for frame in frames for name in frame.columns))
    together = [_spread(frame, max(1, SAMPLE // len(frames))) for frame in frames]
    sample = pl.concat(together, how="diagonal")
    known = {name: [frame[name] for frame in frames if name in frame.columns] for name in names}
    keys = {name for name in names if (match := _identity(name)) is not None and match[0] == "K"}
    numbers = [name for name in names if name in keys and len(_filled(sample[name]))]
    return _like_siblings([_profile(name, known[name], sample, numbers) for name in names])


def _like_siblings(found: list[Profile]) -> list[Profile]:
    """A numbered column in doubt, as the eighth of fifteen, is as harmless as its fuller siblings are."""
    harmless = {base: one.name for one in found if one.phi == "-" and (base := base_of(one.name))}
    return [
        replace(one, phi="-", evidence=f"{one.evidence}, but a numbered sibling of '{harmless[base]}'")
        if one.phi == "D"
        and not one.is_sure
        and _identity(one.name) is None
        and (base := base_of(one.name)) in harmless
        else one
        for one in found
    ]


def _spread(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    step = max(1, frame.height // rows)
    return frame.gather_every(step).head(rows)


def _filled(cells: pl.Series) -> pl.Series:
    """Cells that hold something; in a column of codes every word may be one (NA is sodium)."""
    if is_code(cells.name):
        return cells.str.strip_chars(" \u3000").filter(cells != "").drop_nulls()
    return (
        cells.str.strip_chars(" \u3000").filter(~cells.str.strip_chars(" \u3000").is_in(lexicon().blanks)).drop_nulls()
    )


def _profile(name: str, parts: list[pl.Series], sample: pl.DataFrame, numbers: list[str]) -> Profile:
    rows = sum(len(part) for part in parts)
    filled = sum(len(_filled(part)) for part in parts)
    cells = _filled(sample[name])
    shapes, rest = {}, cells
    for shape, pattern in SHAPES.items():
        fits = rest.str.contains(pattern)
        if count := int(fits.sum()):
            shapes[shape] = count / len(cells)
            rest = rest.filter(~fits)
    phi, as_, evidence, sure = _privacy(name, cells, shapes, sample, numbers)
    return Profile(name, rows, filled, cells.n_unique(), shapes, phi, as_, evidence, sure)


def _identity(name: str) -> tuple[str, str | None, str, float] | None:
    best = max(
        (
            (found[0], place, one, found[1])
            for place, one in enumerate(lexicon().identity)
            if (found := compare(name, one))
        ),
        key=lambda match: (match[0], -match[1]),
        default=None,
    )
    return None if best is None else (best[2].phi, best[2].as_, f"{best[2].role}: {best[3]}", best[0])


def _share(held: pl.Series) -> float:
    """The share of true cells, 0 of none."""
    return int(held.sum()) / len(held) if len(held) else 0.0


def _privacy(
    name: str, cells: pl.Series, shapes: dict[str, float], sample: pl.DataFrame, numbers: list[str]
) -> tuple[str, str | None, str, bool]:
    """Class, identifier, why, and whether that is sure."""
    by_name, by_cells = _identity(name), _by_cells(cells)
    if by_cells is not None and (by_name is None or by_name[0] not in ("K", "D")):
        return (*by_cells, by_name is not None)
    if by_name is not None:
        return by_name[0], by_name[1], by_name[2], by_name[3] >= 1
    if inside := _holds(name, sample, numbers):
        return "D", None, f"its cells hold those of '{inside}'", True
    if not len(cells):
        return "D", None, "it is empty, so nothing is known of it", False
    dated = sum(share for shape, share in shapes.items() if shape.startswith(("%", "Oracle")))
    if dated >= CLEAR:
        return "-", None, f"{dated:.1%} of its cells are dates or times", True
    numeric = shapes.get("number", 0) + shapes.get("a month or a year", 0)
    if numeric >= CLEAR and _share(cells.str.contains(_LONG_NUMBER)) < 1 - MOST:
        return "-", None, f"{numeric:.1%} of its cells are short numbers", True
    if cells.n_unique() <= max(60, len(cells) // 20) and cells.n_unique() * 3 <= len(cells):
        return "-", None, f"{cells.n_unique():,} different cells in {len(cells):,}", True
    if int(cells.str.len_chars().sum()) > _WORDY * len(cells):
        return "F", None, "its cells are long and hardly repeat: free text, to be redacted", False
    if use := _usual(name):
        return "-", None, f"a usual name of {use}, and no cell speaks of a person", True
    told = f"{cells.n_unique():,} different cells in {len(cells):,} and no known name: not stored in doubt"
    return "D", None, told, False


def _usual(name: str) -> str | None:
    """The canonical column a header is a usual name of."""
    for kind, page in lexicon().kinds.items():
        for target, words in page.columns.items():
            found = compare(name, words)
            if found is not None and found[0] >= _USUAL:
                return f"{kind}.{target}"
    return None


def _by_cells(cells: pl.Series) -> tuple[str, str | None, str] | None:
    if not len(cells):
        return None
    phones = _share(cells.str.contains(_TELEPHONE))
    if phones >= CLEAR:
        return "D", None, f"{phones:.1%} of its cells look like telephone numbers"
    numbered = cells.filter(cells.str.contains(_NATIONAL_ID))
    if len(numbered) / len(cells) >= CLEAR:
        sound = sum(len(n) == 15 or check_character(n[:17]) == n[17].upper() for n in numbered)
        return "K", "national_id", f"{sound / len(cells):.1%} of its cells are id numbers with a right check character"
    named = cells.filter(cells.str.contains(_HAN_NAME))
    if len(named) / len(cells) >= CLEAR and named.n_unique() > max(20, len(named) // 40):
        common = _share(named.str.slice(0, 1).is_in(list(_SURNAMES)))
        if common >= CLEAR:
            return "K", "name", f"{common:.1%} of its cells are two to four characters after a common surname"
    return None


def _holds(name: str, sample: pl.DataFrame, numbers: list[str]) -> str | None:
    """A column of identifiers whose cells stand inside those of this one, row by row."""
    for other in numbers:
        if other != name:
            both = sample.filter(pl.col(name).str.len_chars().gt(3) & pl.col(other).str.len_chars().gt(3))
            inside = both.select(pl.col(name).str.contains(pl.col(other), literal=True)).to_series()
            if _share(inside) >= CLEAR:
                return other
    return None
