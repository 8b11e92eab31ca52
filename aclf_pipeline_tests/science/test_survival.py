"""Survival of groups against R, against published values, and against what must always hold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.survival import (
    StatisticalProblem,
    kaplan_meier,
    logrank,
    median_survival,
    reverse_km,
    risk_table,
    survival_at,
)
from aclf_pipeline_tests.science.reference import answers, assert_close, data, numbers

PAIRS = {
    "time": "time",
    "at_risk": "n_risk",
    "events": "n_event",
    "censored": "n_censor",
    "survival": "surv",
    "se": "se_surv",
    "lower": "lower",
    "upper": "upper",
}


@pytest.fixture(scope="module")
def lung() -> pl.DataFrame:
    """The lung data of R's survival package, as lifelines ships them (228 patients, 165 deaths)."""
    from lifelines.datasets import load_lung

    loaded = load_lung()
    return pl.DataFrame({name: loaded[name].to_numpy() for name in ("time", "status", "sex")})


def observed(table: pl.DataFrame) -> pl.DataFrame:
    """The rows R prints: times at which somebody leaves."""
    return table.filter(pl.col("events") + pl.col("censored") > 0)


# R 4.2.2, survival 3.5-3: summary(survfit(Surv(time, status) ~ 1, lung, conf.type = "log-log"), times = …)
LUNG_IN_R = [
    # day, at risk, survival, standard error
    (28, 219, 0.960526315789474, 0.0128955847988477),
    (84, 203, 0.890350877192982, 0.0206926328820345),
    (168, 170, 0.753223524022718, 0.0286307024133906),
]


@pytest.mark.parametrize(("day", "at_risk", "survival", "se"), LUNG_IN_R)
def test_lung_survival_as_in_r(lung, day, at_risk, survival, se):
    table = kaplan_meier(lung, duration="time", event="status", horizons=[28, 84, 168])
    row = survival_at(table, day).row(0, named=True)
    assert row["survival"] == pytest.approx(survival, abs=1e-10)
    assert row["se"] == pytest.approx(se, abs=1e-10)
    assert (row["at_risk"], row["n"], row["n_events"]) == (at_risk, 228, 165)


def test_lung_median_and_logrank_as_in_r(lung):
    """survfit: median 310, log-log limits 284 and 361; survdiff(Surv(time, status) ~ sex): 10.3267419548856."""
    median = median_survival(kaplan_meier(lung, duration="time", event="status"))
    assert median.select("median", "lower", "upper").row(0) == (310, 284, 361)
    test = logrank(lung, "time", "status", "sex")
    assert test.statistic == pytest.approx(10.3267419548856, abs=1e-9)
    assert test.p == pytest.approx(0.00131116452035549, abs=1e-9)
    assert (test.df, test.n, test.events) == (1, 228, 165)


@pytest.mark.parametrize(
    ("key", "name", "event", "keep"),
    [
        ("lung_all", "lung", "event", None),
        ("lung_sex1", "lung", "event", 1),
        ("lung_sex2", "lung", "event", 2),
        ("pbc_tfs_all", "pbc", "tfs", None),
        ("pbc_lt", "pbc_left_truncated", "tfs", None),
    ],
)
def test_kaplan_meier_equals_r(key, name, event, keep):
    expected = answers("01_kaplan_meier")[f"{key}_log-log"]
    frame = data(name)
    entry = "entry" if "entry" in frame.columns else None
    group = "sex" if keep else None
    days = expected["at"]["time"]
    full = kaplan_meier(frame, duration="time", event=event, entry=entry, group=group, horizons=days)
    table = full.filter(pl.col("group") == str(keep)) if keep else full
    rows = observed(table)
    for ours, theirs in PAIRS.items():
        assert_close(rows[ours], expected["table"][theirs], 1e-10)
    at = pl.concat([survival_at(table, day) for day in days])
    # With delayed entry R prints the number at risk of the next event time in place of that of the day asked for.
    for ours, theirs in (("survival", "surv"), ("se", "se"), *([] if entry else [("at_risk", "n_risk")])):
        assert_close(at[ours], expected["at"][theirs], 1e-10)
    quantiles = expected["quantiles"]
    median = median_survival(table)
    for ours, theirs in (("median", "q"), ("lower", "lower"), ("upper", "upper")):
        assert_close(median[ours], numbers(quantiles[theirs])[[1]], 1e-10)


@pytest.mark.parametrize(
    ("key", "name", "event", "group"),
    [("lung_sex", "lung", "event", "sex"), ("veteran_trt", "veteran", "status", "trt")],
)
def test_logrank_equals_r(key, name, event, group):
    expected = answers("02_logrank")[key]
    test = logrank(data(name), "time", event, group)
    assert test.statistic == pytest.approx(expected["chisq"], abs=1e-9)
    assert test.p == pytest.approx(expected["p"], abs=1e-9)
    assert test.df == expected["df"]


@pytest.mark.parametrize(("name", "event"), [("lung", "event"), ("pbc", "tfs")])
def test_reverse_kaplan_meier_equals_r(name, event):
    follow_up = reverse_km(data(name), duration="time", event=event)
    assert follow_up["median"].item() == answers("01b_reverse_km")[f"{name}_median_followup"]


def frame_of(times: list[float], events: list[int], **columns: list[object]) -> pl.DataFrame:
    return pl.DataFrame({"time": times, "event": events, **columns})


def test_by_hand_with_ties_and_an_event_on_day_0():
    table = kaplan_meier(frame_of([0, 2, 2, 2, 5], [1, 1, 1, 0, 0]), duration="time", event="event")
    assert table.select("time", "at_risk", "events", "censored").rows() == [(0, 5, 1, 0), (2, 4, 2, 1), (5, 1, 0, 1)]
    assert table["survival"].to_list() == pytest.approx([0.8, 0.4, 0.4])


def test_a_median_on_a_plateau_is_its_middle_as_in_r():
    """Four patients dying on days 1 to 4: R's survfit gives 2.5."""
    table = kaplan_meier(frame_of([1, 2, 3, 4], [1, 1, 1, 1]), duration="time", event="event")
    assert median_survival(table)["median"].item() == 2.5


def test_what_nobody_was_followed_to_see_is_null_with_a_reason():
    frame = frame_of([10, 20, 30, 5, 6], [1, 0, 0, 1, 1], arm=["a", "a", "a", "b", "b"])
    table = kaplan_meier(frame, duration="time", event="event", group="arm", horizons=[168])
    late = survival_at(table, 168)
    assert late["survival"].to_list() == [None, 0.0]
    assert late["at_risk"].to_list() == [0, 0]
    assert late["reason"].to_list() == ["nobody in 'a' was followed to day 168; the last left on day 30", None]
    assert survival_at(table.filter(pl.col("time") != 168), 168)["survival"].to_list() == [None, 0.0]
    medians = median_survival(table)
    assert medians["median"].to_list() == [None, 5.5]
    assert medians["reason"].to_list() == ["survival of 'a' does not fall to one half", None]


def test_event_free_data_have_survival_1_and_no_median():
    table = kaplan_meier(frame_of([10, 20], [0, 0]), duration="time", event="event", horizons=[15])
    row = survival_at(table, 15).row(0, named=True)
    assert (row["survival"], row["lower"], row["upper"], row["n_events"]) == (1, 1, 1, 0)
    assert median_survival(table)["median"].item() is None


def test_rows_without_an_answer_are_set_aside_and_counted():
    table = kaplan_meier(frame_of([1.0, 2.0, None, float("nan")], [1, None, 1, 1]), duration="time", event="event")
    assert table.select("n", "n_events", "n_missing").row(0) == (1, 1, 3)


def test_delayed_entry_lets_the_number_at_risk_rise():
    frame = frame_of([10, 10, 12], [1, 0, 1], entry=[0, 4, 6])
    at_risk = risk_table(frame, duration="time", event="event", entry="entry", at=[1, 5, 7, 10, 11, 13])
    assert at_risk["at_risk"].to_list() == [1, 2, 3, 3, 1, 0]
    assert at_risk["events_so_far"].to_list() == [0, 0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of([], []), "no row has"),
        (frame_of([None], [1]).cast({"time": pl.Float64}), "no row has"),
        (frame_of([-1, 2], [1, 1]), "1 of 2 rows have a negative 'time'"),
        (frame_of([1, 2], [1, 2]), r"must be yes/no or 0/1, but is Int64 with values \[1, 2\]"),
        (pl.DataFrame({"time": [1], "event": ["death"]}), "endpoints.event_indicator"),
        (pl.DataFrame({"time": [1]}), "asks for 'event'"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_words(frame, message):
    with pytest.raises(StatisticalProblem, match=message):
        kaplan_meier(frame, duration="time", event="event")


def test_entry_after_exit_is_refused():
    with pytest.raises(StatisticalProblem, match="in 1 rows 'entry' is not before 'time'"):
        kaplan_meier(frame_of([5], [1], entry=[5]), duration="time", event="event", entry="entry")


@pytest.mark.parametrize(
    ("events", "arms", "message"), [([0, 0], ["a", "b"], "no event among 2"), ([1, 1], ["a", "a"], "needs two groups")]
)
def test_a_logrank_test_that_cannot_be_is_said_in_words(events, arms, message):
    with pytest.raises(StatisticalProblem, match=message):
        logrank(frame_of([1, 2], events, arm=arms), "time", "event", "arm")


patients = st.lists(
    st.tuples(st.integers(1, 30), st.booleans(), st.sampled_from("ab"), st.integers(0, 5)), min_size=1, max_size=40
)


def as_frame(rows: list[tuple[int, bool, str, int]], late: bool) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "time": [entry * late + time for time, _, _, entry in rows],
            "event": [event for _, event, _, _ in rows],
            "arm": [arm for _, _, arm, _ in rows],
            "entry": [entry for *_, entry in rows],
        }
    )


@settings(deadline=None)
@given(rows=patients, late=st.booleans())
def test_kaplan_meier_always(rows, late):
    frame = as_frame(rows, late)
    arguments = {"duration": "time", "event": "event", "group": "arm", "entry": "entry" if late else None}
    table = kaplan_meier(frame, **arguments, horizons=[7, 15])
    for _, part in table.group_by("group"):
        survival = part["survival"].drop_nulls().to_numpy()
        assert (np.diff(survival) <= 1e-12).all()
        assert (survival >= -1e-12).all()
        assert (survival <= 1).all()
        assert part["events"].sum() + part["censored"].sum() == part["n"][0]
        assert part["events"].sum() == part["n_events"][0]
        inside = part.drop_nulls("lower")
        assert (inside["lower"] <= inside["survival"] + 1e-12).all()
        assert (inside["survival"] <= inside["upper"] + 1e-12).all()
    risks = risk_table(frame, **arguments, at=table["time"].unique().sort().to_list())
    joined = table.join(risks, on=["group", "time"], suffix="_table")
    assert (joined["at_risk"] == joined["at_risk_table"]).all()
    so_far = joined.select(pl.col("events").cum_sum().over("group", order_by="time"), "events_so_far")
    assert (so_far["events"] == so_far["events_so_far"]).all()


@settings(deadline=None)
@given(rows=patients, seed=st.integers(0, 99))
def test_the_order_of_the_patients_does_not_matter(rows, seed):
    frame = as_frame(rows, late=False)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    one, two = (kaplan_meier(f, duration="time", event="event", group="arm") for f in (frame, shuffled))
    assert one.equals(two)


@settings(deadline=None, max_examples=30)
@given(rows=patients)
def test_both_engines_agree_where_entry_is_before_everything(rows):
    frame = as_frame(rows, late=False).with_columns(entry=pl.lit(-1.0))
    ours = kaplan_meier(frame, duration="time", event="event", group="arm", entry="entry")
    lifelines = kaplan_meier(frame, duration="time", event="event", group="arm")
    for name in ("at_risk", "survival", "se", "lower", "upper"):
        one, two = (table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for table in (ours, lifelines))
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-10)


def test_a_risk_set_that_dies_out_early_is_shown_and_no_crash():
    frame = frame_of([2, 10, 12], [1, 1, 0], entry=[0, 4, 6])
    table = kaplan_meier(frame, duration="time", event="event", entry="entry")
    assert table.select("time", "at_risk", "survival").rows() == [(0, 0, 1), (2, 1, 0), (10, 2, 0), (12, 1, 0)]
