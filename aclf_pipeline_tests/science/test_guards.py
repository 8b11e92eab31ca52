"""Each guard fires on an analysis that deserves it, saying what, why, what to do; else it is silent."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.protocol.study import Covariate, Parameter
from aclf_pipeline.science import guards
from aclf_pipeline.science.analyses import run_analysis
from aclf_pipeline_tests.science.plan_world import cohort, given, model, said, study

PLAN = model()


def names(verdicts, *, blocks: bool = True) -> list[str]:
    return [one.guard for one in verdicts if one.blocks == blocks]


def km(**words):
    return said(kind="kaplan_meier", **{"endpoint": "death_or_transplant_336d", "horizons": [28, 168], **words})


def with_covariate(name: str, holds: str | None = None):
    """What is given, with one covariate more on the study page."""
    made = given(PLAN)
    covariate = Covariate(label=name, says=name, holds=holds)
    page = made.study.model_copy(update={"covariates": {**made.study.covariates, name: covariate}})
    frame = made.cohort if holds is None else made.cohort.with_columns(pl.sql_expr(holds).alias(name))
    return guards.Given(frame, page, made.plan, made.tables)


def test_the_plan_of_the_study_is_sound_on_a_cohort_that_can_bear_it():
    for spec in (PLAN, km(), said(kind="univariable", of="model")):
        assert guards.before(spec, given(PLAN)) == ()


@pytest.mark.parametrize(
    ("name", "holds"), [("infusions_in_course", None), ("many_infusions", "infusions_in_course >= 4")]
)
def test_infusions_counted_later_are_no_baseline_covariate(name, holds):
    (verdict, *_) = guards.before(model(covariates=["inr", name]), with_covariate(name, holds))
    assert (verdict.guard, verdict.blocks) == ("immortal_time", True)
    assert "infusions counted after time zero" in verdict.what
    assert "lives longer" in verdict.why
    assert "infusion_timevarying" in verdict.do


def test_a_group_made_of_infusions_is_caught_in_a_curve_and_in_what_is_of_a_model():
    made = with_covariate("many_infusions", "infusions_in_course >= 4")
    assert "immortal_time" in names(guards.before(km(group="many_infusions"), made))
    bad = model(covariates=["inr", "many_infusions"])
    spec = said(kind="influence", of="model")
    assert "immortal_time" in names(guards.before(spec, guards.Given(made.cohort, made.study, [bad])))


def test_survival_from_the_first_infusion_is_refused_where_two_are_asked_for():
    assert names(guards.before(km(says="Survival from the first infusion"), given())) == ["immortal_time"]
    assert guards.before(km(says="Survival from the second infusion"), given()) == ()
    once = given()
    page = once.study.model_copy(update={"parameters": {**once.study.parameters, "min_infusions": Parameter(
        value=1, says="Infusions", because="All who started")}})  # fmt: skip
    assert guards.before(km(says="Survival from the first infusion"), guards.Given(once.cohort, page)) == ()


def test_a_time_zero_before_the_second_infusion_needs_delayed_entry_or_everybody_who_started():
    made = given()
    zeros = dict(made.study.time_zeros)
    zeros["naive"] = zeros["first_infusion"].model_copy(update={"enters": None})
    page = made.study.model_copy(update={"time_zeros": zeros})

    def look(*asked):
        spec = said(kind="immortal_time", endpoint="death_or_transplant_336d", horizons=[28], time_zeros=asked)
        return names(guards.before(spec, guards.Given(made.cohort, page)))

    assert look("naive") == ["immortal_time"]
    assert look("second_infusion", "first_infusion", "first_infusion_all", "landmark_14d") == []


@pytest.mark.parametrize("name", ["event_days", "end_state"])
def test_what_is_known_only_later_is_no_covariate(name):
    (verdict, *_) = guards.before(model(covariates=["inr", name]), with_covariate(name))
    assert (verdict.guard, verdict.blocks) == ("leakage", True)
    assert f"rests on {name}" in verdict.what


def test_a_value_of_the_first_day_is_a_group_once_observation_begins_after_it():
    made = given()
    late = {name: one.model_copy(update={"days_after": 1}) for name, one in made.study.baseline.items()}
    page = guards.Given(made.cohort, made.study.model_copy(update={"baseline": late}))
    assert names(guards.before(km(group="cirrhosis"), page)) == ["leakage"]
    assert names(guards.before(km(group="cirrhosis", entry_day=1), page)) == []


def test_a_transplant_is_never_censored_without_a_word():
    made = given(PLAN)
    silent = made.study.endpoints["death_168d"].model_copy(update={"competing": ()})
    page = made.study.model_copy(update={"endpoints": {**made.study.endpoints, "death_168d": silent}})
    verdicts = guards.before(PLAN, guards.Given(made.cohort, page, made.plan))
    assert names(verdicts) == ["transplant_censored"]
    nobody = given(PLAN, frame=cohort(transplants=0.0))
    assert guards.before(PLAN, guards.Given(nobody.cohort, page, made.plan)) == ()


def test_survival_of_death_is_refused_where_transplant_comes_first_for_one_in_twenty():
    spec = km(endpoint="death_336d")
    assert names(guards.before(spec, given(frame=cohort(transplants=0.5)))) == ["competing_risk"]
    assert names(guards.before(spec, given(frame=cohort(transplants=0.02)))) == []
    drawn = said(kind="logrank", endpoint="death_336d", group="cirrhosis")
    assert names(guards.before(drawn, given(frame=cohort(transplants=0.5)))) == ["competing_risk"]
    incidence = said(kind="cumulative_incidence", endpoint="death_336d", horizons=[28])
    assert names(guards.before(incidence, given(frame=cohort(transplants=0.5)))) == []


def test_more_coefficients_than_the_cohort_bears_are_refused_also_in_what_is_of_the_model():
    few = given(PLAN, frame=cohort(n=60))
    (verdict,) = guards.before(PLAN, few)
    assert verdict.guard == "df_budget"
    assert "asks for 4 coefficients; 60 patients" in verdict.what
    assert names(guards.before(said(kind="prediction", of="model", horizons=[28]), few)) == ["df_budget"]
    assert (
        names(guards.before(said(kind="lasso", of="model", candidates=["inr", "sodium"], resamples=5, seed=1), few))
        == []
    )


def test_a_category_counts_its_levels_and_a_spline_its_knots():
    # 400 patients bear a little more than four coefficients at an expected R² of 0.12
    tight = {"anticipated_r2": 0.12}
    made = given(model(**tight))
    assert names(guards.before(model(**tight), made)) == []
    text = model(covariates=["inr", "sodium", "cirrhosis", "antiviral", "sex"], **tight)
    assert names(guards.before(text, made)) == ["df_budget"]
    over_time = said(kind="infusion_timevarying", of="model")
    assert names(guards.before(over_time, made)) == ["df_budget"]
    fewer = said(kind="infusion_timevarying", of="model", covariates=["inr", "sodium"])
    assert names(guards.before(fewer, made)) == []
    spline = said(kind="functional_form", of="model", covariates=["inr"], knots=6)
    assert names(guards.before(spline, made)) == ["df_budget"]


def test_below_ten_at_risk_a_curve_ends_and_says_so():
    made = given()
    spec = km(horizons=[28, 336], fewest_at_risk=200)
    assert names(guards.before(spec, made)) == []
    assert names(guards.before(spec, made), blocks=False) == ["at_risk"]
    result = run_analysis(spec, made.cohort, made.study)
    read = dict(result.results.select("key", "estimate").iter_rows())
    assert read["survival_28d"] is not None
    assert read["survival_336d"] is None
    assert any("fewer than 200 are at risk" in remark for remark in result.remarks)
    assert guards.before(km(horizons=[28]), made) == ()


def test_a_curve_of_fewer_than_ten_is_not_drawn():
    assert names(guards.before(km(), given(frame=cohort(n=9)))) == ["at_risk"]
    assert names(guards.before(km(fewest_at_risk=1, horizons=[28]), given(frame=cohort(n=9)))) == []


def test_separation_is_fitted_with_a_penalty_and_a_footnote():
    spec = model(covariates=["inr", "ascites_marked"])
    frame = cohort().with_columns(pl.when(pl.col("event") == "death").then(0).otherwise("ascites").alias("ascites"))
    made = given(spec, frame=frame)
    result = run_analysis(spec, made.cohort, made.study, plan=made.plan)
    assert names(guards.after(spec, result), blocks=False) == ["separation"]
    assert "Firth" in result.remarks[0]
    assert "ascites_marked" in result.remarks[0]
    assert result.table.filter(pl.col("term") == "ascites_marked")["hr"].item() < 1
    sound = run_analysis(PLAN, given(PLAN).cohort, given(PLAN).study, plan=[PLAN])
    assert guards.after(PLAN, sound) == ()


def changing() -> pl.DataFrame:
    """The earlier a death, the higher its INR; of those left late it tells little."""
    own = pl.col("inr") - 2
    return cohort(hazard=0.01).with_columns(
        inr=pl.when(pl.col("event") == "death")
        .then(3.2 - pl.col("event_days") / 60 + own / 2)
        .otherwise("inr")
        .round(1)
    )


@pytest.mark.parametrize(("remedy", "blocks"), [("split", False), ("strata", False), (None, True)])
def test_a_ratio_that_changes_over_time_has_the_remedy_of_the_plan_or_is_not_shown(remedy, blocks):
    spec = model(covariates=["age_years", "inr"], remedy=remedy)
    made = given(spec, frame=changing())
    result = run_analysis(spec, made.cohort, made.study, plan=made.plan)
    assert names(guards.after(spec, result), blocks=blocks) == ["proportional_hazards"]
    terms = result.table["term"].to_list()
    if remedy == "split":
        assert terms == ["age_years", "inr, days 0–28", "inr, days 28–84", "inr, days from 84"]
        ratios = result.table["hr"].to_list()[1:]
        assert min(ratios[:2]) > 10 > ratios[2]
    elif remedy == "strata":
        assert terms == ["age_years"]
    else:
        assert terms == ["age_years", "inr"]


def test_a_constant_ratio_asks_for_no_remedy():
    made = given(PLAN)
    assert guards.after(PLAN, run_analysis(PLAN, made.cohort, made.study, plan=[PLAN])) == ()


@pytest.mark.parametrize(
    "text",
    [
        "The effect of MSC on survival", "Efficacy of mesenchymal stromal cells in ACLF",
        "Benefit of the cell infusions",
        "MSCs improve survival", "Survival prolonged: the treatment prolonged life", "Cell therapy reduces death",
        "The treatment effect in cirrhosis", "Predictors of response to umbilical cord mesenchymal stem cells",
        "Fewer deaths thanks to the infusions",
    ],
)  # fmt: skip
def test_words_of_an_effect_are_refused(text):
    (verdict,) = guards.before(km(says=text), given())
    assert (verdict.guard, verdict.blocks) == ("wording", True)
    assert verdict.do == "Write of prognosis among treated patients."


@pytest.mark.parametrize(
    "text",
    [
        "Prognostic factors among patients given MSC", "This is never an effect of the cells",
        "They are prognostic, not predictive of an effect of the cells", "Infusions received so far",
        "Effects of age and INR on the hazard", "Benefit of a model at each threshold",
        "It says nothing of what MSCs do",
    ],
)  # fmt: skip
def test_words_of_prognosis_pass(text):
    assert guards.before(km(says=text), given()) == ()


def test_no_sentence_of_the_shipped_plans_trips_the_linter():
    from aclf_pipeline.protocol import load_protocol
    from aclf_pipeline_tests.science.plan_world import PAGES

    for name in ("nct07198854", "icu_cirrhosis"):
        protocol = load_protocol(PAGES, name)
        told = [str(v) for spec in protocol.analysis for v in guards.wording(spec, (spec.says, spec.because))]
        assert told == []
    assert study().id == "nct07198854"
