"""Nomogram, standardised curves, subgroups, influence, tests of table 1: against R and by what they must keep."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact as two_by_two

from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.group_tests import compare_groups, fisher_exact, normality
from aclf_pipeline.science.influence import influence_table
from aclf_pipeline.science.nomogram import level_axis, nomogram, pretty
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.standardised import standardised_survival
from aclf_pipeline.science.subgroups import subgroup_effects
from aclf_pipeline_tests.science.cox_cases import draw_case
from aclf_pipeline_tests.science.reference import answers, data

DATA, ANSWERS = load_reference()
SIX = ["age", "sex_f", "edema", "log_bili", "albumin", "log_protime"]


def pbc(terms: list[str]) -> CoxFit:
    frame = DATA["pbc"]
    design = frame.select(terms).to_numpy().astype(float)
    return fit_cox(frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1, design, terms)


def test_points_equal_rms():
    expected = ANSWERS["nomogram"]
    found = nomogram(pbc(expected["terms"]), [365, 1095])
    for name, axis in expected["points"].items():
        rows = found.points.filter(pl.col("variable") == name)
        assert rows["value"].cast(pl.Float64).to_list() == axis["x"]
        np.testing.assert_allclose(rows["points"], axis["points"], atol=1e-9)
    np.testing.assert_allclose(found.total["linear_predictor"], expected["total"]["lp"], atol=1e-12)
    np.testing.assert_allclose(found.total["points"], expected["total"]["points"], atol=1e-9)


def test_a_person_counted_by_the_nomogram_is_the_person_predicted_by_the_model():
    """Points of a person, read off the axes, lead to the survival the model itself predicts."""
    fit = pbc(ANSWERS["nomogram"]["terms"])
    found, person = nomogram(fit, [365, 1095]), np.array([50.0, 0.5, 1.5, 3.4, 2.4])
    points = 0.0
    for name, value in zip(fit.names, person, strict=True):
        rows = found.points.filter(pl.col("variable") == name)
        axis, at = rows["value"].cast(pl.Float64).to_numpy(), rows["points"].to_numpy()
        points += float(np.interp(value, axis, at))
    for row in found.survival.iter_rows(named=True):
        chance = cox_curves.survival(fit, person, np.array([row["horizon"]])).survival[0, 0]
        away = math.log(-math.log(chance)) - math.log(-math.log(row["survival"]))
        assert points - row["points"] == pytest.approx(away * found.per_unit, abs=1e-8)


def test_axes_of_categories_and_round_marks():
    frame = DATA["veteran"].with_columns(cell=pl.lit(""))
    terms = ["ct_small", "ct_adeno", "ct_large", "karno"]
    fit = fit_cox(frame["time"].to_numpy(), frame["status"].to_numpy() == 1, frame.select(terms).to_numpy(), terms)
    axis = level_axis(fit, "squamous", {"small": "ct_small", "adeno": "ct_adeno", "large": "ct_large"})
    found = nomogram(fit, [90], axes={"cell": axis})
    assert found.points["value"].to_list() == ["squamous", "small", "adeno", "large"]
    assert (found.points["points"].min(), found.points["points"].max()) == pytest.approx((0, 100))
    assert pretty(0, 7, 7).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert pretty(-1, 1, 5).tolist() == [-1, -0.5, 0, 0.5, 1]
    assert pretty(3, 3).min() < 3 < pretty(3, 3).max()
    with pytest.raises(StatisticalProblem, match="'ct_tiny'"):
        level_axis(fit, "squamous", {"tiny": "ct_tiny"})


def test_standardised_curves_equal_r():
    expected = ANSWERS["standardised"]
    found = standardised_survival(pbc(SIX), {"men": {"sex_f": 0}, "women": {"sex_f": 1}}, expected["times"])
    for name, key in (("men", "s0"), ("women", "s1")):
        np.testing.assert_allclose(
            found.curves.filter(pl.col("setting") == name)["survival"], expected[key], rtol=0, atol=1e-12
        )
    difference = found.contrasts["difference"].to_numpy()
    np.testing.assert_allclose(difference, np.subtract(expected["s1"], expected["s0"]), atol=1e-12)


@pytest.mark.parametrize("shape", [{}, {"entry": True}, {"strata": 2, "entry": True}])
def test_the_error_of_a_standardised_curve_is_the_error_of_the_model(shape):
    """By differences: the curve as a function of all it is made of, coefficients and baseline steps, and their
    variance."""
    case = draw_case(4, n=120, **shape)
    fit = fit_cox(case["stop"], case["event"], case["design"], case["names"], start=case.get("start"),
                  strata=case.get("strata"))  # fmt: skip
    time = np.array([12.0])
    found = standardised_survival(fit, {"all": {}, "one": {"x1": 1.0}}, time)
    codes = fit.data.strata
    each = cox_curves.survival(fit, case["design"], time, stratum=codes).survival.mean()
    assert found.curves["survival"][0] == pytest.approx(each)
    # One person alone: the average is their curve and its error the curve's.
    if not shape:
        alone = fit_cox(case["stop"], case["event"], case["design"], case["names"])
        settings_ = {"p": dict(zip(case["names"], case["design"][7], strict=True))}
        same = standardised_survival(alone, settings_, time).curves.row(0, named=True)
        curve = cox_curves.survival(alone, case["design"][7], time)
        for name in ("survival", "se", "lower", "upper"):
            assert same[name] == pytest.approx(getattr(curve, name)[0, 0], abs=1e-12)
    # The bootstrap knows nothing of the formula.
    rng, draws = np.random.default_rng(1), []
    for _ in range(150):
        rows = rng.integers(0, 120, 120)
        part = {name: case[name][rows] for name in ("start", "strata") if name in case}
        again = fit_cox(case["stop"][rows], case["event"][rows], case["design"][rows], case["names"], **part)
        x = case["design"].copy()
        x[:, 1] = 1.0
        levels = cox_curves.survival(again, x, time, stratum=codes).survival.mean()
        draws.append(levels - cox_curves.survival(again, case["design"], time, stratum=codes).survival.mean())
    assert found.contrasts["se"][0] == pytest.approx(np.std(draws), rel=0.25)


def test_standardising_refuses_unknown_columns_and_beyond_follow_up_is_null():
    fit = pbc(SIX)
    with pytest.raises(StatisticalProblem, match="'sex'"):
        standardised_survival(fit, {"men": {"sex": 0}}, [365])
    assert standardised_survival(fit, {"all": {}}, [365, 9999]).curves["survival"].is_null().to_list() == [False, True]


def test_subgroups_equal_r():
    expected = answers("21_subgroup")
    frame = data("rotterdam").with_columns(age_ge55=pl.col("age") >= 55)
    found = subgroup_effects(frame, "time", "event", "hormon", ["meno", "age_ge55"])
    assert found["subgroup"][0] == "all"
    for name, answer in expected.items():
        rows = found.filter(pl.col("subgroup") == name)
        for row, level in zip(rows.iter_rows(named=True), answer["levels"], strict=True):
            assert (row["n"], row["events"]) == (level["n"], level["ev"])
            assert [row["hr"], row["lower"], row["upper"]] == pytest.approx([level["hr"], level["lo"], level["hi"]])
        assert rows["p_interaction"][0] == pytest.approx(answer["p_lrt"], abs=1e-8)
        assert rows["p_wald"][0] == pytest.approx(answer["p_wald"], abs=1e-8)
    p = [answer["p_lrt"] for answer in expected.values()]
    assert found["p_holm"][1] == pytest.approx(min(1, 2 * min(p)))


def test_a_level_with_few_events_has_no_ratio_and_says_so():
    case = draw_case(6, n=120)
    frame = pl.DataFrame({"t": case["stop"], "e": case["event"], "x": case["design"][:, 0], "age": case["design"][:, 2],
                          "site": ["a"] * 60 + ["b"] * 55 + ["c"] * 5})  # fmt: skip
    found = subgroup_effects(frame, "t", "e", "x", ["site"], covariates=["age"])
    assert found.filter(pl.col("level") == "c")["hr"].to_list() == [None]
    assert "fewer than 10" in found.filter(pl.col("level") == "c")["reason"][0]
    assert found.filter(pl.col("level") == "a")["hr"][0] == pytest.approx(
        cox(frame.filter(pl.col("site") == "a"), "t", "e", ["x", "age"]).coefficients["hr"][0]
    )
    with pytest.raises(StatisticalProblem, match="exposure"):
        subgroup_effects(frame, "t", "e", "site", ["x"])


def test_influence_lists_who_moves_the_model_and_by_how_much():
    fit = pbc(SIX)
    table = influence_table(fit, [f"P{row}" for row in range(fit.n)], top=4)
    assert table["dfbetas"].abs().is_sorted(descending=True)
    row = table.row(0, named=True)
    keep = np.arange(fit.n) != int(row["id"][1:])
    without = fit_cox(fit.data.stop[keep], fit.data.event[keep], fit.data.design[keep], SIX)
    place = SIX.index(row["term"])
    assert row["exact"] == pytest.approx((fit.coef - without.coef)[place] / fit.se[place], abs=1e-9)
    assert row["large"]
    assert row["dfbetas"] * row["exact"] > 0
    with pytest.raises(StatisticalProblem, match="3 ids"):
        influence_table(fit, ["a", "b", "c"])


def test_tests_of_table_one_equal_r():
    expected, frame = answers("20_table1_tests"), data("pbc")
    text = [name for name, answer in expected.items() if "table" in answer]
    frame = frame.with_columns(pl.col(text).cast(pl.String))
    found = compare_groups(frame, list(expected), "tfs")
    by_edema = compare_groups(frame, [name for name in expected if name not in text], "edema")
    shapiro = normality(frame, [name for name in expected if name not in text], "tfs")

    def p(table: pl.DataFrame, name: str, test: str) -> float:
        return table.filter((pl.col("variable") == name) & (pl.col("test") == test))["p"].item()

    for name, answer in expected.items():
        if name in text:
            pairs = [("chi2", "chisq"), ("fisher", "fisher")]
            pairs += [("chi2_yates", "chisq_yates")] if len(answer["table"]) == 2 else []
            for ours, theirs in pairs:
                assert p(found, name, ours) == pytest.approx(answer[theirs], rel=1e-9, abs=1e-15)
            continue
        for ours, theirs in (("welch", "welch"), ("student", "student"), ("wilcoxon", "wilcox")):
            assert p(found, name, ours) == pytest.approx(answer[theirs], rel=1e-9)
        for test in ("anova", "kruskal"):
            assert p(by_edema, name, test) == pytest.approx(answer[f"{test}_edema"], rel=1e-9)
        assert shapiro.filter(pl.col("variable") == name)["p"].to_list() == pytest.approx(answer["shapiro"], rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=2, max_size=3))
def test_fisher_counts_every_table(rows):
    """Against laying out every table with these margins, one cell after another."""
    table = np.array(rows)
    if table.sum() == 0:
        return
    margins, columns = table.sum(axis=1), table.sum(axis=0)
    fixed = sum(math.lgamma(total + 1) for total in (*margins, *columns)) - math.lgamma(table.sum() + 1)

    def log_chance(cells: np.ndarray) -> float:
        return fixed - sum(math.lgamma(cell + 1) for cell in cells.ravel())

    total = 0.0
    for free in itertools.product(*(range(min(int(m), int(c)) + 1) for m in margins[:-1] for c in columns[:-1])):
        inner = np.array(free).reshape(len(margins) - 1, 2)
        top = np.column_stack([inner, margins[:-1] - inner.sum(axis=1)])
        whole = np.vstack([top, columns - top.sum(axis=0)])
        if (whole >= 0).all() and log_chance(whole) <= log_chance(table) + 1e-7:
            total += math.exp(log_chance(whole))
    assert fisher_exact(table) == pytest.approx(min(1, total), abs=1e-9)


@given(st.lists(st.integers(0, 40), min_size=4, max_size=4))
def test_fisher_of_two_by_two_is_scipys(cells):
    table = np.array(cells).reshape(2, 2)
    if (table.sum(axis=0) * table.sum(axis=1)).all():
        assert fisher_exact(table) == pytest.approx(two_by_two(table).pvalue, abs=1e-9)


def test_the_test_shown_follows_the_counts():
    frame = pl.DataFrame({"arm": ["a"] * 30 + ["b"] * 30, "rare": ["y"] * 3 + ["n"] * 57, "even": ["y", "n"] * 30,
                          "flat": [1.0] * 60})  # fmt: skip
    found = compare_groups(frame, ["rare", "even", "flat"], "arm")
    shown = dict(found.filter("chosen").select("variable", "test").rows())
    assert shown == {"rare": "fisher", "even": "chi2", "flat": "wilcoxon"}
    assert found.filter(pl.col("variable") == "flat")["reason"].null_count() == 0
