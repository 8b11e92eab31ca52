"""Every figure at several widths, with short, long and Chinese labels: no text on another, none beyond the sheet."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from aclf_pipeline.reports import canvas, forests, layout, model_figures, nomogram_figure, performance_figures
from aclf_pipeline.reports.canvas import Figure
from aclf_pipeline.reports.contact_sheet import contact_sheet
from aclf_pipeline_tests.reports.gallery import GALLERY, LONG, SHORT, forest_pair, km

SHAPES = [("short", 7.2), ("long", 3.4)]
MORE_SHAPES = [(labels, width) for labels in ("short", "long") for width in (3.3, 4.1, 4.9, 5.6, 9.0)]
LABELS = {"short": SHORT, "long": LONG}
TOUCHING = 1.0
"""Dots two boxes may share: boxes are of the tallest letters of the font, not of those written."""


@cache
def drawn(name: str, labels: str, width: float) -> Figure:
    return GALLERY[name](LABELS[labels], width=width, synthetic=True)


def written(figure: Figure) -> list[Text]:
    """The texts that are drawn."""
    found = list(figure.sheet.texts)
    for axis in figure.sheet.axes:
        found += list(axis.texts)
        if axis.axison:
            found += on_axis(axis)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def on_axis(axis: Axes) -> Iterator[Text]:
    yield from (axis.title, axis._left_title, axis._right_title, axis.xaxis.label, axis.yaxis.label)
    for side in (axis.xaxis, axis.yaxis):
        yield from (tick.label1 for tick in side._update_ticks() if tick.label1.get_visible())
    legend = axis.get_legend()
    if legend is not None:
        yield from legend.get_texts()


def collisions(figure: Figure) -> list[str]:
    with canvas.style(figure.id):
        drawing = figure.sheet.canvas
        assert isinstance(drawing, FigureCanvasAgg)
        drawing.draw()
        renderer = drawing.get_renderer()
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in written(figure)]
    width, height = figure.sheet.get_size_inches() * figure.sheet.dpi
    found = [
        f"'{text}' leaves the sheet"
        for text, box in boxes
        if box.x0 < -TOUCHING or box.y0 < -TOUCHING or box.x1 > width + TOUCHING or box.y1 > height + TOUCHING
    ]
    for k, (one, a) in enumerate(boxes):
        for other, b in boxes[k + 1 :]:
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            up = min(a.y1, b.y1) - max(a.y0, b.y0)
            if across > TOUCHING and up > 2 * TOUCHING:
                found.append(f"'{one}' lies on '{other}'")
    return found


@pytest.mark.parametrize(
    ("labels", "width"), [*SHAPES, *(pytest.param(*s, marks=pytest.mark.slow) for s in MORE_SHAPES)]
)
@pytest.mark.parametrize("name", GALLERY)
def test_no_text_lies_on_another_or_leaves_the_sheet(name, labels, width):
    figure = drawn(name, labels, width)
    assert figure.sheet.get_size_inches()[0] == pytest.approx(width)
    assert collisions(figure) == []


def test_a_collision_would_be_found():
    figure = km(SHORT)
    figure.sheet.text(0.5, 0.5, "one")
    figure.sheet.text(0.5, 0.5, "two")
    figure.sheet.text(0.99, 0.5, "beyond the edge")
    assert collisions(figure)[0] == "'beyond the edge' leaves the sheet"
    assert "'one' lies on 'two'" in collisions(figure)


def test_a_figure_is_the_same_twice():
    one, two = (forest_pair(SHORT) for _ in range(2))
    assert one.svg == two.svg
    assert one.pdf() == two.pdf()
    assert one.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("name", GALLERY)
def test_every_figure_says_what_it_is_and_carries_its_data(name):
    one = drawn(name, "short", 7.2)
    assert one.alt.count(" ") > 3
    assert one.caption.startswith(one.title)
    assert one.data.height
    assert canvas.SYNTHETIC in one.svg


def test_a_figure_is_saved_for_print_with_its_data(tmp_path: Path):
    figure = forest_pair(SHORT, width=3.4)
    svg, pdf, png, csv = figure.save(tmp_path, "predictors")
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    assert (width, height) == tuple(int(inch * 600) for inch in figure.sheet.get_size_inches())
    assert pdf.suffix == ".pdf"
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    table = pl.read_csv(csv)
    assert set(table["model"]) == {"univariable", "multivariable"}
    assert table.filter(pl.col("model") == "multivariable")["hr"].null_count() == 0


def test_the_mark_of_synthetic_data_is_of_synthetic_data_only():
    assert canvas.SYNTHETIC not in km(SHORT).svg


def test_what_is_not_known_is_said_and_not_drawn():
    svg = forest_pair(SHORT).svg
    assert svg.count("not estimable") == 1


def test_all_figures_stand_on_one_contact_sheet():
    sheet = contact_sheet([drawn(name, "short", 7.2) for name in ("km", "forest", "roc")], columns=2, dpi=50)
    width, _ = struct.unpack(">II", sheet[16:24])
    assert width == int((2 * (3.6 + 0.15) + 0.15) * 50)
    with pytest.raises(ValueError, match="no figure"):
        contact_sheet([])


def test_ticks_leave_room_and_keep_the_first():
    with canvas.style("ticks"):
        kept = layout.roomy_ticks([0, 1, 2, 50, 100], ["1,000"] * 5, 0, 100, 2.0)
        assert kept == [0, 50, 100]
        assert layout.roomy_ticks([0, 99, 100], ["1,000"] * 3, 0, 100, 2.0) == [0, 100]
        assert layout.roomy_ticks([0], ["0"], 0, 100, 2.0) == [0]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: forests.forest_pair(pl.DataFrame(), pl.DataFrame(), title="T"),
        lambda: forests.subgroup_forest(pl.DataFrame(), title="T"),
        lambda: model_figures.schoenfeld(pl.DataFrame(), pl.DataFrame(), pl.DataFrame(), title="T"),
        lambda: model_figures.spline(pl.DataFrame(), title="T", label="x"),
        lambda: model_figures.balance(pl.DataFrame(), title="T"),
        lambda: performance_figures.calibration(pl.DataFrame(), title="T"),
        lambda: performance_figures.roc(pl.DataFrame(), pl.DataFrame(), title="T"),
        lambda: performance_figures.decision(pl.DataFrame(), title="T"),
        lambda: performance_figures.over_time(pl.DataFrame(), title="T"),
        lambda: nomogram_figure.nomogram(pl.DataFrame(), pl.DataFrame(), pl.DataFrame(), title="T"),
    ],
)
def test_an_empty_frame_is_refused_in_words(draw):
    with pytest.raises(ValueError, match="nothing to draw"):
        draw()


def test_a_frame_short_of_columns_is_refused_by_name():
    with pytest.raises(ValueError, match="'upper'"):
        model_figures.spline(pl.DataFrame({"value": [1.0], "hr": [1.0], "lower": [1.0]}), title="T", label="x")
