"""Cox models against R, and the guards: what must not be fitted, and what must be said."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.survival import StatisticalProblem, cox
from aclf_pipeline_tests.science.reference import answers, assert_close, data

PBC = ["age", "edema", "log_bili", "albumin", "log_protime"]
LUNG = ["age", "sex", "ph_ecog", "ph_karno", "wt_loss"]


@pytest.fixture(scope="module")
def lung() -> pl.DataFrame:
    """The complete cases of R's lung data, as lifelines ships them."""
    from lifelines.datasets import load_lung

    loaded = load_lung().rename(columns=lambda name: name.replace(".", "_"))
    names = ["time", "status", *LUNG, "inst"]
    return pl.DataFrame({name: loaded[name].to_numpy().astype(float) for name in names}).with_columns(
        pl.col("status").cast(pl.Int64)
    )


def test_lung_as_in_r(lung):
    """R 4.2.2, survival 3.5-3: coxph(Surv(time, status) ~ age + sex + ph.ecog + ph.karno + wt.loss), 212 complete."""
    complete = lung.drop_nulls().filter(pl.all_horizontal(pl.col(LUNG).is_not_nan()))
    result = cox(complete, "time", "status", LUNG)
    if result.n == 213:  # R's answer leaves out the patient without an institution as well
        result = cox(complete.filter(pl.col("inst").is_not_nan()), "time", "status", LUNG)
    in_r = [0.0153368066122846, -0.636498547784021, 0.747736559922277, 0.0153754162119919, -0.00920878977385975]
    se = [0.0097569747834655, 0.177653976356398, 0.19224858185197, 0.00979524931770868, 0.00668347552346366]
    np.testing.assert_allclose(result.coefficients["log_hr"], in_r, rtol=0, atol=1e-8)
    np.testing.assert_allclose(result.coefficients["se"], se, rtol=0, atol=1e-8)
    assert (result.n, result.events, result.df) == (212, 150, 5)
    assert result.loglik_null == pytest.approx(-669.98403687281, abs=1e-7)
    assert result.loglik == pytest.approx(-653.236170989223, abs=1e-7)
    assert result.lr_statistic == pytest.approx(33.4957317671733, abs=1e-6)
    assert result.concordance == pytest.approx(0.641388327588256, abs=1e-9)
    assert result.coefficients["term"].to_list() == LUNG


@pytest.mark.parametrize(
    ("key", "name", "event", "options"),
    [
        ("lung_efron", "lung_complete", "event", {}),
        ("lung_ties_efron", "lung_complete", "event", {"duration": "month"}),
        ("lung_strata", "lung_complete", "event", {"strata": "sex"}),
        ("pbc_tfs", "pbc", "tfs", {}),
        ("pbc_cs_death", "pbc", "death", {}),
        ("pbc_lt", "pbc_left_truncated", "tfs", {"entry": "entry"}),
        ("pbc_lt_naive", "pbc_left_truncated", "tfs", {}),
        ("lung_breslow", "lung_complete", "event", {"ties": "breslow"}),
        ("lung_freqw", "lung_complete", "event", {"weights": "wi"}),
        ("lung_cluster_inst", "lung_complete", "event", {"cluster": "inst"}),
        ("pbcseq_tv", "pbcseq_tv", "death", {"duration": "tstop", "entry": "tstart"}),
    ],
)
def test_cox_equals_r(key, name, event, options):
    expected = answers("03_cox")[key]
    result = cox(data(name), options.pop("duration", "time"), event, expected["terms"], **options)
    assert (result.n, result.events) == (expected["n"], expected["nevent"])
    for ours, theirs, tolerance in (
        ("log_hr", "coef", 1e-8),
        ("se", "se", 1e-8),
        ("p", "p", 1e-8),
        ("lower", "hr_lower", 1e-7),
        ("upper", "hr_upper", 1e-4),
    ):
        relative = tolerance * max(1.0, max(expected[theirs])) if ours == "upper" else tolerance
        assert_close(result.coefficients[ours], expected[theirs], relative)
    assert [result.loglik_null, result.loglik] == pytest.approx(expected["loglik"], abs=1e-7)
    assert result.lr_statistic == pytest.approx(expected["lrt"][0], abs=1e-6)
    assert [result.concordance, result.concordance_se] == pytest.approx(expected["concordance"], abs=1e-9)


@pytest.mark.parametrize("options", [{}, {"entry": "entry"}, {"strata": "site"}, {"weights": "mass"}])
def test_lifelines_finds_the_same_maximum(options):
    """Its solver tightened, and Efron's ties; its concordance, baseline and tests are measured wrong and not asked."""
    from lifelines import CoxPHFitter

    frame = cohort(200).with_columns(entry=pl.col("time") * 0.3, mass=pl.int_range(pl.len()) % 3 + 1)
    ours = cox(frame, "time", "died", ["age", "male"], **options)
    names = {"entry": "entry_col", "strata": "strata", "weights": "weights_col"}
    theirs = CoxPHFitter().fit(
        frame.select("time", "died", "age", "male", *options.values()).to_pandas(),
        "time",
        "died",
        fit_options={"precision": 1e-16, "r_precision": 1e-13, "step_size": 1.0},
        **{names[name]: column for name, column in options.items()},
    )
    np.testing.assert_allclose(ours.coefficients["log_hr"], theirs.params_, atol=1e-8)
    np.testing.assert_allclose(ours.coefficients["se"], theirs.standard_errors_, atol=1e-8)
    assert ours.loglik == pytest.approx(theirs.log_likelihood_, abs=1e-7)


def cohort(n: int = 120, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(45, 10, n).round(1)
    arm = rng.choice(["iron", "gold", "zinc"], n, p=[0.2, 0.5, 0.3])
    time = np.ceil(rng.exponential(100 * np.exp(-0.03 * (age - 45) - 0.5 * (arm == "zinc"))))
    return pl.DataFrame(
        {
            "time": time.astype(int),
            "died": rng.random(n) < 0.7,
            "age": age,
            "arm": arm,
            "male": rng.random(n) < 0.6,
            "site": rng.choice(["n", "s"], n),
        }
    )


def test_a_category_names_its_reference_which_is_the_most_frequent_level():
    result = cox(cohort(), "time", "died", ["age", "arm", "male"])
    assert result.coefficients["term"].to_list() == ["age", "arm[zinc]", "arm[iron]", "male"]
    assert result.coefficients["variable"].to_list() == ["age", "arm", "arm", "male"]
    assert result.coefficients["level"].to_list() == [None, "zinc", "iron", None]
    assert result.references == {"arm": "gold"}


def test_an_enum_states_its_reference_itself():
    frame = cohort().with_columns(pl.col("arm").cast(pl.Enum(["iron", "gold", "zinc", "tin"])))
    result = cox(frame, "time", "died", ["arm"])
    assert result.references == {"arm": "iron"}
    assert result.coefficients["term"].to_list() == ["arm[gold]", "arm[zinc]"]
    # Another reference is another parametrisation of the same model.
    assert result.loglik == pytest.approx(cox(cohort(), "time", "died", ["arm"]).loglik, abs=1e-9)


def test_rows_missing_anything_are_set_aside_and_counted():
    frame = cohort().with_columns(
        age=pl.when(pl.int_range(pl.len()) < 3).then(float("nan")).otherwise("age"),
        arm=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise("arm"),
    )
    result = cox(frame, "time", "died", ["age", "arm"])
    assert (result.n, result.n_missing_dropped) == (116, 4)
    assert result.coefficients["n"].to_list() == [116] * 3


def test_few_events_per_degree_of_freedom_are_said():
    result = cox(cohort(40), "time", "died", ["age", "arm", "male"])
    assert result.events_per_df == result.events / 4 < 10
    assert any("events for 4 degrees of freedom" in text for text in result.warnings)
    assert cox(cohort(), "time", "died", ["age"]).warnings == ()


def test_several_strata():
    result = cox(cohort(), "time", "died", ["age"], strata=["site", "male"])
    crossed = cohort().with_columns(cell=pl.concat_str("site", pl.col("male").cast(pl.String)))
    assert result.strata == ("site", "male")
    assert result.loglik == pytest.approx(cox(crossed, "time", "died", ["age"], strata="cell").loglik, abs=1e-9)


def test_episodes_of_a_person_are_the_person_and_their_cluster_makes_the_variance_robust():
    frame = cohort().with_columns(
        person=pl.int_range(pl.len()), start=pl.lit(0.0), time=pl.col("time").cast(pl.Float64)
    )
    cut = pl.col("time") / 2
    halves = pl.concat(
        [frame.with_columns(time=cut, died=pl.lit(value=False)), frame.with_columns(start=cut)], how="vertical"
    )
    whole = cox(frame, "time", "died", ["age", "male"], cluster="person")
    split = cox(halves, "time", "died", ["age", "male"], entry="start", cluster="person")
    for column in ("log_hr", "se", "p"):
        np.testing.assert_allclose(split.coefficients[column], whole.coefficients[column], atol=1e-10)
    assert split.concordance == pytest.approx(whole.concordance, abs=1e-12)
    assert split.concordance_se == pytest.approx(whole.concordance_se, abs=1e-12)
    plain = cox(frame, "time", "died", ["age", "male"])
    assert (plain.fit.robust, whole.fit.robust) == (False, True)
    assert plain.coefficients["se"].to_list() != whole.coefficients["se"].to_list()


def test_a_row_without_weight_entry_or_cluster_is_set_aside():
    frame = cohort().with_columns(
        mass=pl.when(pl.int_range(pl.len()) > 0).then(1.5),
        centre=pl.when(pl.int_range(pl.len()) != 1).then(pl.int_range(pl.len())),
        entry=pl.when(pl.int_range(pl.len()) != 2).then(0.0),
    )
    result = cox(frame, "time", "died", ["age"], weights="mass", cluster="centre", entry="entry")
    assert (result.n, result.n_missing_dropped) == (117, 3)


def test_where_no_two_rows_can_be_compared_there_is_no_concordance_and_it_is_said():
    frame = pl.DataFrame({"time": [5] * 6, "died": [True] * 6, "x": [1.0, 2, 4, 7, 8, 9]})
    result = cox(frame, "time", "died", ["x"])
    assert (result.concordance, result.concordance_se) == (None, None)
    assert any("no two rows can be compared" in text for text in result.warnings)


def test_constant_covariates_are_all_named():
    frame = cohort().with_columns(country=pl.lit("CN"), era=pl.lit(1.0))
    with pytest.raises(StatisticalProblem, match=r"'country' has one level, 'CN'.*'era' is 1 in every complete row"):
        cox(frame, "time", "died", ["age", "country", "era"])


def test_collinear_covariates_are_named():
    frame = cohort().with_columns(months=pl.col("age") * 12 + 3)
    with pytest.raises(StatisticalProblem, match="'months' is a linear combination of 'age'"):
        cox(frame, "time", "died", ["male", "age", "months"])


def test_a_level_without_events_is_separation_and_named():
    frame = cohort().with_columns(died=pl.col("died") & (pl.col("arm") != "zinc"))
    with pytest.raises(StatisticalProblem, match=r"'arm\[zinc\]' = 1 .* has no event: separation"):
        cox(frame, "time", "died", ["age", "arm"])


def test_a_covariate_that_orders_the_events_is_separation_and_named():
    frame = pl.DataFrame({"time": range(1, 41), "died": [True] * 40, "marker": [float(-i) for i in range(40)]})
    with pytest.raises(StatisticalProblem, match="marker"):
        cox(frame, "time", "died", ["marker"])


def test_separation_by_a_combination_is_noticed():
    """The sum of two covariates orders the deaths; neither does alone."""
    noise = np.random.default_rng(3).normal(0, 40, 60)
    frame = pl.DataFrame({"time": range(1, 61), "died": [True] * 60, "a": noise, "b": -np.arange(60) - noise})
    assert cox(frame, "time", "died", ["a"]).n == 60
    with pytest.raises(StatisticalProblem, match="did not converge: the covariates separate"):
        cox(frame, "time", "died", ["a", "b"])


@pytest.mark.parametrize(
    ("change", "covariates", "message"),
    [
        ({"died": pl.lit(value=False)}, ["age"], "no event among 120 complete rows"),
        ({"age": pl.lit(None, pl.Float64)}, ["age"], "no row has all of"),
        ({"time": pl.lit(-2)}, ["age"], "120 rows have a negative 'time'"),
        ({}, [], "no covariate is named"),
        ({}, ["age", "age"], "'age' is named twice"),
        ({}, ["time"], "'time' is the outcome"),
        ({}, ["aeg"], "asks for 'aeg'"),
        ({"age": pl.lit(None, pl.Date).fill_null(pl.date(2015, 1, 1))}, ["age"], "'age' is Date"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_words(change, covariates, message):
    with pytest.raises(StatisticalProblem, match=message):
        cox(cohort().with_columns(**change), "time", "died", covariates)


def test_names_that_look_like_formulas_are_only_names():
    frame = cohort().rename({"age": "age (years) + 1", "arm": "I(arm)"})
    result = cox(frame, "time", "died", ["age (years) + 1", "I(arm)"])
    assert result.coefficients["term"][0] == "age (years) + 1"


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 999), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_units_and_order_do_not_change_the_model(seed, scale, shift):
    frame = cohort(80, seed=7)
    base = cox(frame, "time", "died", ["age", "male"])
    changed = frame.with_columns(age=pl.col("age") * scale + shift).sample(fraction=1, shuffle=True, seed=seed)
    other = cox(changed, "time", "died", ["age", "male"])
    assert other.coefficients["log_hr"][0] * scale == pytest.approx(base.coefficients["log_hr"][0], rel=1e-6)
    assert other.coefficients["log_hr"][1] == pytest.approx(base.coefficients["log_hr"][1], abs=1e-7)
    assert other.loglik == pytest.approx(base.loglik, abs=1e-7)
