"""What the pages share: the template environment, further sections, anchors.

Everything that comes from a frame is escaped; only the SVG that `canvas` wrote goes in as it is. A name a template
asks for and does not get is an error, never an empty place.

What does not belong here: the content of any page, and how numbers are written (tables).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aclf_pipeline.reports import canvas, links, tables


@dataclass(frozen=True)
class Section:
    """A further section of a page: a sentence, a table and perhaps a figure; the page lays it out."""

    id: str
    title: str
    says: str = ""
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    figure: canvas.Figure | None = None


def anchor(name: Any, prefix: str = "rule") -> str:
    """The id of a section: a rule's anchor is 'rule-' and its id, so that other pages can point at it."""
    return f"{prefix}-{re.sub(r'[^A-Za-z0-9_.:-]', '-', str(name))}"


def columns(frame: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Key, label and kind of every column of a frame, numbers to the right."""
    return [(name, tables.words(name), "num" if dtype.is_numeric() else "") for name, dtype in frame.schema.items()]


def render(template: str, *, heading: str, synthetic: bool, **values: Any) -> str:
    """One page from a template; `heading` is its title, `synthetic` puts the banner on screen and every sheet."""
    environment = _environment()
    css = environment.get_template("style.css").render()
    shared = {"css": Markup(css), "banner": canvas.SYNTHETIC}  # noqa: S704 (our own file)
    return environment.get_template(template).render(heading=heading, synthetic=synthetic, **shared, **values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("aclf_pipeline.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        name: getattr(tables, name)
        for name in (
            "count",
            "number",
            "percent",
            "p_value",
            "plain",
            "words",
            "n_percent",
            "few",
            "rows",
            "count_rows",
            "threshold",
        )
    }
    made.filters |= {"anchor": anchor, "columns": columns, "svg": _svg}
    made.filters |= {"rule_page": links.rule_page, "file_page": links.file_page, "story_page": links.story_page}
    made.globals |= {"ratio_interval": tables.ratio_interval, "share_interval": tables.share_interval}
    return made


def _svg(svg: str) -> Markup:
    """The SVG of a figure: its texts were escaped when it was drawn."""
    return Markup(svg)  # noqa: S704
