"""Chained equations: nothing known changes, nothing is invented, and the answers are those of R's mice."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.imputation import Imputations, Recipe, Target, convergence, impute, nelson_aalen
from aclf_pipeline.science.imputation_models import draw_logistic, draw_matched, nearest
from aclf_pipeline.science.outcomes import read_outcomes
from aclf_pipeline.science.pooling import pool_fits
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.published import FOLDER, published

GRADES = pl.Enum(["none", "mild", "severe"])


def ward(seed: int = 1, n: int = 150) -> pl.DataFrame:
    """A frame with every kind of column, gaps that depend on age, and columns nobody asks for."""
    rng = np.random.default_rng(seed)
    age, x = rng.normal(50, 10, n), rng.normal(size=n)
    crea = np.round(np.exp(4.3 + 0.3 * x + 0.1 * rng.normal(size=n)), 1)
    he = np.clip(np.round(1.2 + x + 0.5 * rng.normal(size=n)), 0, 4).astype(int)
    time = np.ceil(rng.exponential(60 * np.exp(-0.4 * x)))
    gap = lambda share: rng.random(n) < 2 * share / (1 + np.exp(-(age - 50) / 5))  # noqa: E731
    frame = pl.DataFrame(
        {
            "person": [f"p{k}" for k in range(n)],
            "time": time,
            "outcome": rng.choice([0, 1, 1, 2], n),
            "age": age,
            "sex": rng.choice(["f", "m"], n),
            "x": x,
            "crea": crea,
            "he": he,
            "ascites": pl.Series([GRADES.categories.to_list()[k] for k in np.clip(he, 0, 2)], dtype=GRADES),
            "infection": rng.random(n) < 1 / (1 + np.exp(-x)),
            "untouched": crea,
        }
    )
    gaps = {name: pl.Series(gap(share)) for name, share in
            {"crea": 0.2, "he": 0.1, "ascites": 0.15, "infection": 0.2, "untouched": 0.3}.items()}  # fmt: skip
    return frame.with_columns(pl.when(~gap).then(pl.col(name)).alias(name) for name, gap in gaps.items())


TARGETS = (Target("crea", scale="log"), Target("he"), Target("ascites"), Target("infection"))
RECIPE = Recipe(
    TARGETS, "time", "outcome", predictors=["age", "sex", "x"], passive={"he_any": pl.col("he") > 0}, cycles=4
)  # fmt: skip


@pytest.fixture(scope="module")
def done() -> Imputations:
    return impute(ward(), RECIPE, m=3, seed=9)


def test_what_is_known_stays_and_only_what_was_asked_for_is_filled(done: Imputations) -> None:
    frame = ward()
    for completed in done.frames:
        assert completed.columns == [*frame.columns, "he_any"]
        assert {name: completed.schema[name] for name in frame.columns} == frame.schema
        for name in frame.columns:
            known = frame[name].is_not_null()
            assert completed[name].filter(known).equals(frame[name].filter(known)), name
        assert completed["untouched"].null_count() == frame["untouched"].null_count() > 0
        assert sum(completed[target.column].null_count() for target in TARGETS) == 0
        assert completed.select((pl.col("he_any") == (pl.col("he") > 0)).all()).item()


def test_matched_values_are_values_somebody_has(done: Imputations) -> None:
    frame = ward()
    for name in ("crea", "he", "ascites"):
        for completed in done.frames:
            assert set(completed[name]) <= set(frame[name].drop_nulls())


def test_the_same_seed_gives_the_same_and_more_imputations_change_none(done: Imputations) -> None:
    again, other = impute(ward(), RECIPE, m=5, seed=9), impute(ward(), RECIPE, m=1, seed=10)
    for first, second in zip(done.frames, again.frames, strict=False):
        assert first.equals(second)
    assert not done.frames[0].equals(other.frames[0])
    assert not done.frames[0].equals(done.frames[1])
    renamed = ward().with_columns(pl.col("person").reverse())
    assert impute(renamed, RECIPE, m=1, seed=9).frames[0]["crea"].equals(done.frames[0]["crea"])


def test_it_is_told_what_was_done(done: Imputations) -> None:
    frame, told = ward(), {row["column"]: row for row in done.missing.iter_rows(named=True)}
    assert list(told) == [target.column for target in TARGETS]
    assert told["crea"]["n_missing"] == frame["crea"].null_count()
    assert (told["crea"]["method"], told["crea"]["scale"], told["infection"]["method"]) == ("pmm", "log", "logistic")
    assert "he_any" in told["crea"]["predictors"]
    assert "he_any" not in told["he"]["predictors"], "a column is not predicted by what is made of it"
    assert done.chains.shape == (3 * 4 * 4, 5)
    last = done.chains.filter(imputation=2, cycle=4, column="crea").row(0, named=True)
    drawn = np.log(done.frames[1]["crea"].filter(frame["crea"].is_null()).to_numpy())
    assert last["mean"] == pytest.approx(drawn.mean())
    assert last["sd"] == pytest.approx(drawn.std(ddof=1))
    mixing = convergence(done.chains)
    assert set(mixing["column"]) == set(told)
    assert mixing["mean"].is_between(0.5, 3).all()


def test_nothing_missing_changes_nothing() -> None:
    frame = ward().drop_nulls()
    (completed,) = impute(frame, Recipe([Target("crea")], "time", "outcome", ["age"]), m=1, seed=1).frames
    assert completed.equals(frame)


def test_a_passive_column_the_frame_knows_keeps_what_is_known() -> None:
    frame = ward().with_columns(he_any=pl.when(pl.col("age") > 45).then(pl.col("he") > 0))
    (completed,) = impute(frame, RECIPE, m=1, seed=1).frames
    assert completed["he_any"].null_count() == 0
    known = frame["he_any"].is_not_null()
    assert completed["he_any"].filter(known).equals(frame["he_any"].filter(known))


@pytest.mark.parametrize(
    ("change", "recipe", "says"),
    [
        (
            {"crea": pl.when(pl.col("age") < 45).then("crea")},
            RECIPE,
            "more than 40%.*leave the column out, or accept it",
        ),
        ({"time": pl.when(pl.col("age") < 60).then("time")}, RECIPE, "'time' is missing in .* rows; an outcome is not"),
        ({"x": pl.when(pl.col("age") < 60).then("x")}, RECIPE, "predictor 'x' is missing in"),
        ({"crea": pl.lit(None, pl.Float64)}, RECIPE, "'crea' has 0 known values"),
        ({"crea": pl.col("crea") - 60}, RECIPE, "'crea' has values that are not above 0"),
        ({"he": pl.col("person")}, Recipe([Target("he")], "time", "outcome"), "values without an order"),
        ({}, Recipe([Target("crea", method="logistic")], "time", "outcome"), "more than two values"),
        ({}, Recipe([Target("crea", method="forest")], "time", "outcome"), "methods are pmm, logistic"),
        ({}, Recipe([Target("crea", scale="sqrt")], "time", "outcome"), "scales are identity, log"),
        ({}, Recipe([Target("crea")], "time", "outcome", ["crea"]), "'crea' is named in two roles"),
        ({}, Recipe([Target("weight")], "time", "outcome"), "asks for 'weight'"),
        ({}, Recipe([], "time", "outcome"), "no column is to be completed"),
    ],
)
def test_what_cannot_be_imputed_is_refused(change: dict[str, pl.Expr], recipe: Recipe, says: str) -> None:
    with pytest.raises(StatisticalProblem, match=says):
        impute(ward().with_columns(**change), recipe, m=1, seed=1)


def test_much_missing_is_imputed_when_told_so() -> None:
    frame = ward().with_columns(crea=pl.when(pl.col("age") < 45).then("crea"))
    told = Recipe(TARGETS, "time", "outcome", ["age", "sex", "x"], accept=["crea"], cycles=2)
    assert impute(frame, told, m=1, seed=1).frames[0]["crea"].null_count() == 0


def test_the_cumulative_hazard_by_hand() -> None:
    """
    entry  time  event
    0      1     1       hazard of 1: 1/3
    0      2     2
    0      2     1       1/3 + 1/3 (one entered at 1.5, one left)
    1.5    3     0       1/3: the first was before its entry
    """
    data = read_outcomes("x", [1, 2, 2, 3], [1, 2, 1, 0], entry=[0, 0, 0, 1.5])
    np.testing.assert_allclose(nelson_aalen(data, 1), [1 / 3, 2 / 3, 2 / 3, 1 / 3])
    np.testing.assert_allclose(nelson_aalen(data, 2), [0, 1 / 3, 1 / 3, 1 / 3])


@settings(deadline=None, max_examples=40, derandomize=True)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), donors=st.integers(1, 6), whole=st.booleans())
def test_a_donor_is_among_the_nearest(seed: int, n: int, donors: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    known, wanted = rng.normal(size=n) * 3, rng.normal(size=7) * 3
    known, wanted = (np.round(known), np.round(wanted)) if whole else (known, wanted)
    found = nearest(known, wanted, donors, rng)
    for place, value in zip(found, wanted, strict=True):
        distance = np.abs(known - value)
        assert distance[place] <= np.sort(distance)[min(donors, n) - 1] + 1e-12


def test_each_of_the_donors_gives_alike() -> None:
    rng = np.random.default_rng(0)
    found = nearest(np.array([0.0, 1, 2, 3, 50, 60]), np.full(4000, 1.4), 4, rng)
    np.testing.assert_allclose(np.bincount(found, minlength=6) / 4000, [0.25, 0.25, 0.25, 0.25, 0, 0], atol=0.03)


def test_draws_follow_the_regression_they_come_from() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2000, 2))
    y = 2 + x @ [1.0, -0.5] + 0.7 * rng.normal(size=2000)
    asked = np.repeat([[1.0, 0.0]], 3000, axis=0)
    drawn = draw_matched(y, x, asked, rng, donors=5)
    assert drawn.mean() == pytest.approx(3.0, abs=0.5), "five donors are one neighbourhood"
    yes = (rng.random(2000) < 1 / (1 + np.exp(-(x @ [1.0, -0.5])))).astype(float)
    assert draw_logistic(yes, x, asked, rng).mean() == pytest.approx(1 / (1 + np.exp(-1)), abs=0.06)


def test_perfect_prediction_does_not_stop_a_logistic_draw() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, 60)[:, None]
    drawn = draw_logistic((x[:, 0] > 0).astype(float), x, np.array([[-0.9], [0.9]]).repeat(200, axis=0), rng)
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    assert drawn[:200].mean() < 0.2 < 0.8 < drawn[200:].mean()


def test_pooled_models_agree_with_mice() -> None:
    """Both draw: by 3 standard errors of the difference of two means of imputations (20 theirs, 40 ours)."""
    theirs = json.loads((FOLDER / "mice_pool.json").read_text("utf-8"))
    frame = published("pbc_incomplete").cast(pl.Float64)
    gaps = ["log_protime", "platelet", "ast", "log_copper", "log_chol"]
    recipe = Recipe([Target(c) for c in gaps], "time", "tfs", ["age", "sex_f", "edema", "log_bili", "albumin"])
    completed = impute(frame, recipe, m=40, seed=1).frames
    terms = theirs["terms"]
    pooled = pool_fits(
        [fit_cox(f["time"].to_numpy(), f["tfs"].to_numpy() == 1, f.select(terms).to_numpy(), terms) for f in completed]
    )
    error = np.sqrt(np.array(theirs["b"]) * (1 / 20 + 1 / 40))
    assert (np.abs(pooled.coef - theirs["estimate"]) < 3 * error).all()
    np.testing.assert_allclose(pooled.se, theirs["se"], rtol=0.2)


@pytest.mark.slow
def test_intervals_cover_the_truth_where_gaps_depend_on_what_is_known() -> None:
    """Cox, log hazard ratios 0.7 and −0.5; x is missing in a third, more often where z is high and in the dead."""
    truth = np.array([0.7, -0.5])
    recipe = Recipe([Target("x")], "time", "event", ["z"], cycles=1, accept=["x"])
    covered, estimates = [], []
    for seed in range(300):
        rng = np.random.default_rng([77, seed])
        z = rng.normal(size=250)
        x = 0.5 * z + rng.normal(size=250)
        time, end = rng.exponential(np.exp(-(truth[0] * x + truth[1] * z))), rng.exponential(1.5, 250)
        event = time <= end
        gone = pl.Series(rng.random(250) < 1 / (1 + np.exp(-(-1.2 + 0.8 * z + 0.8 * event))))
        frame = pl.DataFrame({"time": np.minimum(time, end), "event": event, "z": z, "x": x})
        frame = frame.with_columns(x=pl.when(~gone).then("x"))
        fits = [
            fit_cox(f["time"].to_numpy(), f["event"].to_numpy(), f.select("x", "z").to_numpy(), ["x", "z"])
            for f in impute(frame, recipe, m=10, seed=seed).frames
        ]
        pooled = pool_fits(fits)
        covered.append((pooled.lower < truth) & (truth < pooled.upper))
        estimates.append(pooled.coef)
    share = np.mean(covered, axis=0)
    assert ((share > 0.92) & (share < 0.985)).all(), share
    np.testing.assert_allclose(np.mean(estimates, axis=0), truth, atol=0.05)
