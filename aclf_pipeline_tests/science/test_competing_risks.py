"""Cumulative incidence against R, by hand, and by the identities it must keep."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.competing_risks import cumulative_incidence, incidence_at
from aclf_pipeline.science.survival import StatisticalProblem, kaplan_meier
from aclf_pipeline_tests.science.reference import answers, data, numbers


def frame_of(times: list[float], events: list[str], **columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"time": times, "event": events, **columns})


def estimate(frame: pl.DataFrame, **options: object) -> pl.DataFrame:
    return cumulative_incidence(frame, duration="time", event="event", **options)


def test_by_hand():
    """Four patients: death, transplant, censored, death. S = 3/4, 1/2, 1/2, 0; death 1/4, …, 1/4 + 1/2."""
    table = estimate(frame_of([1, 2, 3, 4], ["death", "transplant", "censored", "death"]))
    death = table.filter(pl.col("state") == "death")
    assert death["time"].to_list() == [0, 1, 2, 3, 4]
    assert death["at_risk"].to_list() == [4, 4, 3, 2, 1]
    assert death["probability"].to_list() == pytest.approx([0, 0.25, 0.25, 0.25, 0.75])
    assert table.filter(pl.col("state") == "transplant")["probability"].to_list()[-1] == pytest.approx(0.25)
    assert death["se"].to_list()[1] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    assert table.select("n", "n_events", "n_missing").row(0) == (4, 3, 0)


@pytest.mark.parametrize(
    ("key", "name", "names", "time", "keep"),
    [
        ("pbc", "pbc", ("death", "transplant"), "time", None),
        ("mgus2", "mgus2", ("pcm", "death"), "etime", None),
        ("mgus2_sex0", "mgus2", ("pcm", "death"), "etime", pl.col("sex_m") == 0),
        ("pbc_left_truncated", "pbc_left_truncated", ("death", "transplant"), "time", None),
    ],
)
def test_aalen_johansen_equals_r(key, name, names, time, keep):
    expected = answers("04_aalen_johansen")[key]
    frame = data(name) if keep is None else data(name).filter(keep)
    codes = {0: "censored", 1: names[0], 2: names[1]}
    frame = frame.with_columns(event=pl.col("etype").replace_strict(codes, return_dtype=pl.String))
    entry = "entry" if "entry" in frame.columns else None
    table = cumulative_incidence(frame, duration=time, event="event", entry=entry).filter(pl.col("time") > 0)
    for k, state in enumerate(("event_free", *expected["states"][1:])):
        ours = table.filter(pl.col("state") == state)
        assert ours["time"].to_list() == expected["time"]
        assert ours["at_risk"].to_list() == expected["n_risk"]
        np.testing.assert_allclose(ours["probability"], numbers(expected["pstate"])[:, k], rtol=0, atol=1e-10)
        # With delayed entry R's infinitesimal jackknife is another estimator than Greenwood's.
        np.testing.assert_allclose(
            ours["se"], numbers(expected["se"])[:, k], rtol=0, atol=1e-10 if entry is None else 2e-3
        )


def test_reading_at_a_day_counts_events_on_it_and_knows_where_it_ends():
    table = estimate(frame_of([28, 29, 30], ["death", "transplant", "censored"]))
    at = dict(incidence_at(table, 28).select("state", "probability").rows())
    assert at == pytest.approx({"event_free": 2 / 3, "death": 1 / 3, "transplant": 0})
    assert incidence_at(table, 31)["probability"].to_list() == [None] * 3
    with_horizon = estimate(frame_of([28, 29, 30], ["death", "transplant", "censored"]), horizons=(31.0,))
    assert incidence_at(with_horizon, 31)["probability"].to_list() == [None] * 3


def test_when_everybody_had_an_event_the_estimate_goes_on():
    table = estimate(frame_of([1, 2], ["death", "transplant"]), horizons=(99.0,))
    at = incidence_at(table, 99)
    assert dict(at.select("state", "probability").rows()) == pytest.approx(
        {"event_free": 0, "death": 0.5, "transplant": 0.5}
    )
    assert at.filter(pl.col("state") == "death")["lower"].item() is not None
    assert at.filter(pl.col("state") == "event_free")["lower"].item() is None


def test_groups_share_the_states():
    table = estimate(frame_of([1, 2, 3], ["death", "transplant", "censored"], arm=["a", "b", "b"]), group="arm")
    assert table.filter(pl.col("group") == "a")["state"].unique().sort().to_list() == [
        "death",
        "event_free",
        "transplant",
    ]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of([1, 2], ["censored", "censored"]), "no event in 'event'; all 2 rows are 'censored'"),
        (frame_of([], []).cast({"event": pl.String}), "no row has"),
        (frame_of([-1], ["death"]), "negative"),
        (frame_of([1], ["event_free"]), "the name of the initial state"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_words(frame, message):
    with pytest.raises(StatisticalProblem, match=message):
        estimate(frame)


patients = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from(["death", "transplant", "censored"])), min_size=1, max_size=40
).filter(lambda rows: any(event != "censored" for _, event in rows))


@settings(deadline=None)
@given(rows=patients, seed=st.integers(0, 9))
def test_always(rows, seed):
    frame = frame_of([time for time, _ in rows], [event for _, event in rows])
    table = estimate(frame)
    total = table.group_by("time").agg(pl.col("probability").sum())
    np.testing.assert_allclose(total["probability"], 1, atol=1e-12)
    for _, part in table.filter(pl.col("state") != "event_free").group_by("state"):
        assert (np.diff(part["probability"].to_numpy()) >= -1e-12).all()
    free = table.filter(pl.col("state") == "event_free")
    curve = kaplan_meier(
        frame.with_columns(any_event=pl.col("event") != "censored"), duration="time", event="any_event"
    )
    np.testing.assert_allclose(free["probability"], curve["survival"], atol=1e-12)
    np.testing.assert_allclose(free["se"], curve["se"], atol=1e-12)
    # Deterministic: ties are not broken by chance, whatever the order.
    assert table.equals(estimate(frame.sample(fraction=1, shuffle=True, seed=seed)))
