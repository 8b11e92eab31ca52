"""The sheet every figure is drawn on: palette, fonts, and a wrapper that gives SVG, PNG and the data behind it.

The SVG is made to stand inside a page: no prolog, no outside address, ids of its own, a title and a description for
readers who cannot see it, and text that stays text. The same frame gives the same bytes.

What does not belong here: what is drawn (figures and flow).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import polars as pl
import polars.selectors as cs
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Sheet

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008, Color Universal Design: told apart with every common colour vision; yellow left out on white."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
INK = "#1a1a1a"
FAINT = "#595959"
WARNING = "#9c2a00"
SYNTHETIC = "SYNTHETIC DATA – invented persons"
WIDTH = 7.2
"""Inches: the text width of an A4 page."""
CJK = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "SimHei",
    "Noto Sans CJK JP",
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
)
_STACK = "'DejaVu Sans', Verdana, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


@dataclass(frozen=True)
class Words:
    """What is said of a figure: its id, title, caption, and a description for readers who cannot see it."""

    id: str
    title: str
    caption: str
    alt: str
    synthetic: bool = False


@dataclass(frozen=True)
class Figure:
    """A finished figure: `svg` for a page, `png(dpi)` for a manuscript, `data` for whoever checks it."""

    id: str
    title: str
    alt: str
    caption: str
    data: pl.DataFrame
    svg: str
    sheet: Sheet = field(repr=False, compare=False)

    def save(self, folder: Path, stem: str, dpi: int = 600) -> list[Path]:
        """Put the figure into a folder as <stem>.svg, .pdf, .png and, the data behind it, .csv; returns the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        flat = self.data.with_columns(cs.nested().map_elements(str, return_dtype=pl.String))
        contents = {
            "svg": self.svg.encode(),
            "pdf": self.pdf(),
            "png": self.png(dpi),
            "csv": flat.write_csv().encode(),
        }
        paths = [folder / f"{stem}.{ending}" for ending in contents]
        for path, content in zip(paths, contents.values(), strict=True):
            path.write_bytes(content)
        return paths

    def pdf(self) -> bytes:
        """The figure for a printer, its text as text in embedded fonts; the same bytes for the same data."""
        with style(self.id):
            stream = BytesIO()
            self.sheet.savefig(stream, format="pdf", facecolor="white", metadata={"CreationDate": None})
        return stream.getvalue()

    def png(self, dpi: int = 300) -> bytes:
        """The figure as a bitmap of so many dots per inch; the same bytes for the same data."""
        with style(self.id):
            stream = BytesIO()
            self.sheet.savefig(stream, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
        return stream.getvalue()


@lru_cache(maxsize=1)
def _families() -> list[str]:
    """DejaVu Sans, which comes with the drawing library, then the first installed font with Chinese characters."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *[name for name in CJK if name in installed][:1]]


@contextmanager
def style(figure_id: str) -> Iterator[None]:
    """The drawing settings; the figure's id salts the ids inside its SVG, so that no run differs from another."""
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": figure_id,
        "font.family": _families(),
        "font.size": 9,
        "text.color": INK,
        "text.parse_math": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
    }
    with mpl.rc_context(settings):
        yield


def sheet(height: float, width: float = WIDTH) -> Sheet:
    """An empty white sheet of so many inches."""
    made = Sheet(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(made)
    return made


def finish(made: Sheet, words: Words, data: pl.DataFrame) -> Figure:
    """Write the SVG of a drawn sheet and wrap it; to be called inside `style(words.id)`."""
    if words.synthetic:
        made.text(0.995, 0.995, SYNTHETIC, ha="right", va="top", fontsize=7.5, fontweight="bold", color=WARNING)
    stream = StringIO()
    made.savefig(
        stream,
        format="svg",
        facecolor="white",
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
    )
    svg = _inline(stream.getvalue(), words.id, words.title, words.alt)
    return Figure(words.id, words.title, words.alt, words.caption, data, svg, made)


def _inline(svg: str, figure_id: str, title: str, alt: str) -> str:
    """The SVG without prolog and page-wide style, its ids made the figure's own, with title and description."""
    body = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg[svg.index("<svg") :], count=1, flags=re.DOTALL)
    body = re.sub(r"<[^<>]+>", lambda tag: _own(tag.group(), figure_id), body)
    head, rest = body.split(">", 1)
    head = re.sub(r'\s(width|height)="[^"]*pt"', "", head)
    label = f'<title id="{figure_id}-title">{escape(title)}</title><desc id="{figure_id}-desc">{escape(alt)}</desc>'
    return f'{head} role="img" aria-labelledby="{figure_id}-title {figure_id}-desc">{label}{rest}'


def _own(tag: str, figure_id: str) -> str:
    """One tag with the figure's prefix on every id and reference, and the portable font stack."""
    prefixed = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{figure_id}-", tag)
    return re.sub(r"font-family: [^;\"]*", f"font-family: {_STACK}", prefixed)
