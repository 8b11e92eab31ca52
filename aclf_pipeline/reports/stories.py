"""One page per candidate, in or out of the cohort: its whole story, under its pseudonym.

Rows become markup for all candidates at once, so that thousands of pages take seconds. Every cell is escaped.

What does not belong here: what a story tells and where it comes from (frames of the warehouse), and writing files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

import polars as pl

from aclf_pipeline.protocol import Study
from aclf_pipeline.reports import links, tables
from aclf_pipeline.reports import page as pages

KEY = "candidate_id"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_WIDE = ("says", "explanation", "from", "observed", "content", "evidence", "asks", "value")
_MARKS = {name: f"\u0002{name}\u0003" for name in ("candidate", "person", "verdict", "also", "body")}
"""What stands in the rendered page for what differs between candidates; no delivered text can hold these."""

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@dataclass(frozen=True)
class Told:
    """One part of every story: `frame` has candidate_id and columns of text; who has no row is told `empty`."""

    id: str
    title: str
    frame: pl.DataFrame
    empty: str
    is_tall: bool = False


@dataclass(frozen=True)
class Group:
    """Candidates that share a fate, for the study page: what it is, and who."""

    says: str
    candidates: tuple[str, ...]


def groups(heads: pl.DataFrame, study: Study) -> tuple[Group, ...]:
    """The cohort, then those who left, by the first criterion they do not meet, in the order of the flow chart.

    heads: candidate_id, in_cohort, reason (id of a criterion, or null).
    """
    cohort = heads.filter("in_cohort")[KEY].sort().to_list()
    found = [Group("In the cohort", tuple(cohort))]
    for criterion in study.eligibility:
        left = heads.filter(~pl.col("in_cohort") & (pl.col("reason") == criterion.id))[KEY].sort().to_list()
        found.append(Group(f"Left, not met: {criterion.says}", tuple(left)))
    return tuple(group for group in found if group.candidates)


def story_pages(
    heads: pl.DataFrame, parts: Sequence[Told], study: Study, *, as_of: date, synthetic: bool
) -> Iterator[tuple[str, str]]:
    """Place below the pages' folder and text of every candidate's page, and of the style sheet they share.

    heads: candidate_id, person_id, in_cohort, reason, says, also (list of candidate ids).
    """
    tables.require("stories", {"heads": (heads, (KEY, "person_id", "says", "also"))})
    shell = pages.render(
        "story.html.j2", heading=f"Candidate {_MARKS['candidate']}", synthetic=synthetic, study=study, as_of=as_of,
        marks=_MARKS,
    )  # fmt: skip
    style = _STYLE.search(shell)
    if style is not None:
        yield links.STORY_STYLE, style[1]
        shell = shell.replace(style[0], f'<link rel="stylesheet" href="{_name(links.STORY_STYLE)}">')
    bodies = [_bodies(part) for part in parts]
    for head in heads.iter_rows(named=True):
        body = "".join(
            told.get(head[KEY]) or _section(part, f'<p class="soft">{escape(part.empty)}.</p>')
            for part, told in zip(parts, bodies, strict=True)
        )
        others = [(escape(_name(links.story_page(other))), escape(other)) for other in head["also"] or ()]
        also = ", ".join(f'<a href="{place}">{other}</a>' for place, other in others)
        filled = {
            "candidate": escape(head[KEY]), "person": escape(head["person_id"] or "not linked"),
            "verdict": escape(head["says"]), "also": also or "none", "body": body,
        }  # fmt: skip
        page = shell
        for name, text in filled.items():
            page = page.replace(_MARKS[name], text)
        yield links.story_page(head[KEY]), page


def _name(place: str) -> str:
    return place.rsplit("/", 1)[-1]


def _section(part: Told, inside: str) -> str:
    return f'<h2 id="{part.id}">{escape(part.title)}</h2>\n{inside}\n'


def _bodies(part: Told) -> Mapping[str, str]:
    """Candidate → the part as markup, of those who have a row."""
    cells = [name for name in part.frame.columns if name != KEY]
    if not part.frame.height or not cells:
        return {}
    safe = part.frame.with_columns(pl.col(cells).str.replace_many(_ESCAPES))
    rows = (_tall if part.is_tall else _flat)(safe, cells)
    joined = safe.select(KEY).with_columns(rows.alias("row")).group_by(KEY, maintain_order=True)
    head = "" if part.is_tall else f"<thead><tr>{''.join(_head(name) for name in cells)}</tr></thead>"
    label = escape(part.title)
    before = f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>{head}<tbody>'
    return {
        candidate: _section(part, f"{before}{text}</tbody></table></div>")
        for candidate, text in joined.agg(pl.col("row").str.join("")).iter_rows()
    }


def _head(name: str) -> str:
    return f'<th scope="col" class="{_kind(name)}">{escape(tables.words(name))}</th>'


def _kind(name: str) -> str:
    return "wide" if name in _WIDE else ""


def _flat(safe: pl.DataFrame, cells: Sequence[str]) -> pl.Series:
    """A row of a table for every row; the first cell is its head."""
    pieces: list[pl.Expr] = [pl.lit("<tr>")]
    for place, name in enumerate(cells):
        tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
        pieces += [pl.lit(f'<{tag}{scope} class="{_kind(name)}">'), pl.col(name).fill_null(""), pl.lit(f"</{tag}>")]
    return safe.select(pl.concat_str([*pieces, pl.lit("</tr>")])).to_series()


def _tall(safe: pl.DataFrame, cells: Sequence[str]) -> pl.Series:
    """A row of name and value for every cell that is not missing."""
    lines = [
        pl.when(pl.col(name).is_null())
        .then(pl.lit(""))
        .otherwise(
            pl.concat_str([pl.lit(f'<tr><th scope="row">{escape(tables.words(name))}</th><td>'), pl.col(name),
                           pl.lit("</td></tr>")], ignore_nulls=True)
        )
        for name in cells
    ]  # fmt: skip
    return safe.select(pl.concat_str(lines)).to_series()
