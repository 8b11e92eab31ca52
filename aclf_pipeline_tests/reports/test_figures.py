"""Figures: drawn from the frame alone, the same bytes for the same frame, readable without eyes and without network."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.reports import canvas, figures, flow, layout
from aclf_pipeline.reports.canvas import Figure
from aclf_pipeline_tests.reports import sample

EVERYBODY = [(days, event) for days, event, _ in sample.patients()]


def km(**changes: object) -> Figure:
    curve = pl.concat([sample.kaplan_meier(EVERYBODY[:200], "a"), sample.kaplan_meier(EVERYBODY[200:], "b")])
    risk = pl.concat([sample.risk(EVERYBODY[:200], "a"), sample.risk(EVERYBODY[200:], "b")])
    values: dict[str, object] = {"title": "Survival", "risk": risk, "outcome": "death"}
    return figures.km(curve, **(values | changes))  # type: ignore[arg-type]


DRAWN: dict[str, Callable[[], Figure]] = {
    "km": km,
    "incidence": lambda: figures.cumulative_incidence(sample.incidence(EVERYBODY), title="Death and transplant"),
    "forest": lambda: figures.forest(sample.coefficients(), title="Predictors"),
    "flow": lambda: flow.flow_chart(sample.attrition(), events=("Death", 143)),
}


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_twice(name: str) -> None:
    one, two = DRAWN[name](), DRAWN[name]()
    assert one.svg == two.svg
    assert one.png(60) == two.png(60)


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_names_no_outside_address_and_speaks(name: str) -> None:
    figure = DRAWN[name]()
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", figure.svg)
    assert not re.search(r"https?:|//\w", without_namespaces)
    assert 'role="img"' in figure.svg
    assert f'<title id="{name}-title">{figure.title}</title>' in figure.svg
    assert f'<desc id="{name}-desc">' in figure.svg
    assert not re.search(r"<style", figure.svg)


@pytest.mark.parametrize("name", DRAWN)
def test_ids_are_the_figures_own_and_every_reference_resolves(name: str) -> None:
    svg = DRAWN[name]().svg
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(one.startswith(f"{name}-") for one in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', svg)) <= set(ids)


@pytest.mark.parametrize("name", DRAWN)
def test_every_caption_states_persons_and_events(name: str) -> None:
    assert re.search(r"N = [\d,]+", DRAWN[name]().caption)
    assert re.search(r"events?\b.*\d|\d events", DRAWN[name]().caption)


def test_the_bitmap_has_the_size_that_was_asked_for() -> None:
    figure = DRAWN["forest"]()
    width, height = struct.unpack(">II", figure.png(100)[16:24])
    assert (width, height) == tuple(int(inch * 100) for inch in figure.sheet.get_size_inches())
    assert figure.data.equals(sample.coefficients())


def test_a_figure_is_saved_with_its_data(tmp_path: Path) -> None:
    paths = km().save(tmp_path / "figures", "km_overall", dpi=50)
    assert [path.name for path in paths] == ["km_overall.svg", "km_overall.pdf", "km_overall.png", "km_overall.csv"]
    assert pl.read_csv(paths[3]).height == km().data.height
    assert paths[0].read_text().startswith("<svg")


def test_numbers_at_risk_stand_under_their_ticks() -> None:
    svg = km().svg
    counts = [str(row["at_risk"]) for row in sample.risk(EVERYBODY[:200], "a").iter_rows(named=True)]
    assert set(counts) <= set(texts(svg))
    placed = [(text, float(x)) for x, text in re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([^<]*)</text>', svg)]
    for day, at_risk in zip((0, *sample.HORIZONS), counts, strict=True):
        ticks = [x for text, x in placed if text == str(day)]
        assert any(abs(x - tick) < 1 for text, x in placed if text == at_risk for tick in ticks)


def test_groups_are_told_apart_by_line_and_by_colour() -> None:
    svg = km().svg
    assert {canvas.PALETTE[0].lower(), canvas.PALETTE[1].lower()} <= set(re.findall(r"stroke: (#[0-9a-f]{6})", svg))
    assert "stroke-dasharray" in svg


def test_a_changed_estimate_changes_the_figure() -> None:
    curve = sample.kaplan_meier(EVERYBODY, "all")
    moved = curve.with_columns(survival=pl.when(pl.col("time") == 84).then(0.5).otherwise("survival"))
    assert figures.km(curve, title="S").svg != figures.km(moved, title="S").svg


def test_missing_estimates_are_not_drawn() -> None:
    curve = sample.kaplan_meier(EVERYBODY, "all")
    beyond = curve.with_columns(
        pl.when(pl.col("time") <= 168).then(pl.col(name)).alias(name) for name in ("survival", "lower", "upper")
    )
    assert "at day 168" in figures.km(beyond, title="S").alt


def test_a_ratio_that_does_not_exist_is_said_and_not_drawn() -> None:
    frame = sample.coefficients().with_columns(
        upper=pl.when(pl.col("term") == "inr").then(float("inf")).otherwise("upper")
    )
    assert texts(figures.forest(frame, title="P").svg).count("not estimable") == 1


def test_the_flow_chart_shows_every_count_and_the_overlap() -> None:
    shown = texts(DRAWN["flow"]().svg)
    for row in sample.attrition().iter_rows(named=True):
        overlap = f"(only this: {row['failing_alone']:,}; in any order: {row['failing_any']:,})"
        assert any(text.startswith(f"n = {row['leaving']:,} ") and overlap in text for text in shown)
    assert shown.count("Remaining") == 5  # nobody leaves at one criterion and the last box is the cohort
    assert shown[-1] == "n = 446"


@pytest.mark.parametrize("inches", [0.4, 1.0, 2.5])
def test_folding_keeps_every_word_and_the_width(inches: float) -> None:
    text = "Evidence of HBsAg 乙肝表面抗原阳性超过六个月 for more than 6 months（三个等级之一）"
    with canvas.style("fold"):
        folded = layout.fold(text, inches)
        assert layout.widest([folded]) <= inches
    assert folded.replace("\n", "").replace(" ", "") == text.replace(" ", "")


def test_chinese_and_hostile_words_are_drawn_as_words() -> None:
    frame = sample.attrition().with_columns(says=pl.lit("<script>alert(1)</script> 无感染 $x_1$"))
    svg = flow.flow_chart(frame).svg
    assert "<script" not in svg
    assert "无感染" in svg
    assert any("$x_1$" in text for text in texts(svg))
    parser = HTMLParser()
    parser.feed(svg)


def test_synthetic_data_are_marked_in_the_figure_itself() -> None:
    assert canvas.SYNTHETIC in texts(km(synthetic=True).svg)
    assert canvas.SYNTHETIC not in km().svg


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.km(pl.DataFrame(), title="S"),
        lambda: figures.cumulative_incidence(pl.DataFrame(), title="S"),
        lambda: figures.forest(pl.DataFrame(), title="S"),
        lambda: flow.flow_chart(pl.DataFrame()),
    ],
)
def test_an_empty_frame_is_refused_in_words(draw: Callable[[], Figure]) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        draw()


def test_a_frame_short_of_columns_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'censored'"):
        figures.km(sample.kaplan_meier(EVERYBODY, "all").drop("censored"), title="S")
