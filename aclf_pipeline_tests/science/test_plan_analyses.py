"""Kinds of the plan carried out: the numbers of the estimators they rest on, each under a key, on the rows they say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from aclf_pipeline.science.analyses import digest, run_analysis
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.episodes import piecewise_ratios
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.plan_world import ZERO, cohort, given, model, said

PLAN = model()
OF = {"of": "model"}
KINDS = {
    "follow_up": said(kind="follow_up", endpoint="death_336d", horizons=[28, 168]),
    "rmst": said(kind="rmst", endpoint="death_or_transplant_336d", group="cirrhosis", horizons=[28, 168]),
    "univariable": said(kind="univariable", **OF),
    "firth": said(kind="firth", **OF),
    "ph_diagnostics": said(kind="ph_diagnostics", split_at=[28, 84], **OF),
    "influence": said(kind="influence", **OF),
    "functional_form": said(kind="functional_form", covariates=["age_years", "inr"], **OF),
    "competing": said(kind="competing", groups=["cirrhosis"], **OF),
    "prediction": said(kind="prediction", horizons=[28, 168], **OF),
    "performance": said(kind="performance", horizons=[84, 168], comparators=["meld"], fewest=10, **OF),
    "validation": said(kind="validation", horizons=[84], resamples=5, seed=1, **OF),
    "lasso": said(kind="lasso", candidates=["age_years", "inr", "sodium"], folds=5, resamples=3, seed=1, **OF),
    "subgroups": said(kind="subgroups", exposure="inr", groups=["cirrhosis", "sex"], **OF),
    "sensitivity": said(kind="sensitivity", era_from=2014, **OF),
}  # fmt: skip


def run(spec, *, frame=None, tables=None, plan=(PLAN,)):
    made = given(*plan, frame=frame, tables=tables)
    return run_analysis(spec, made.cohort, made.study, plan=made.plan, tables=made.tables)


def keys(result) -> dict[str, float]:
    return dict(result.results.select("key", "estimate").iter_rows())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_a_table_and_results_under_keys_of_their_own(kind):
    result = run(KINDS[kind])
    assert result.table.height > 0
    assert result.results["key"].is_unique().all()
    assert (result.results["spec"] == digest(KINDS[kind], [PLAN])).all()
    told = result.results.filter(pl.col("estimate").is_not_null())
    assert told["estimate"].is_finite().all()
    assert result.results.filter(pl.col("method").is_null()).is_empty()


def test_the_digest_changes_with_the_stanza_and_with_the_model_it_is_of():
    spec = KINDS["influence"]
    other = model(covariates=["inr"])
    assert digest(spec, [PLAN]) != digest(spec, [other])
    assert digest(spec, [PLAN]) != digest(said(kind="influence", top=5, **OF), [PLAN])


def test_both_columns_of_the_model_are_fitted_on_the_same_rows():
    gaps = cohort().with_columns(sodium=pl.when(pl.int_range(pl.len()) >= 40).then("sodium"))
    result = run(KINDS["univariable"], frame=gaps)
    rows = gaps.slice(40)
    capped = rows.with_columns(
        pl.min_horizontal("event_days", 168).alias("days"),
        ((pl.col("event") == "death") & (pl.col("event_days") <= 168)).alias("died"),
    )
    alone = cox(capped, "days", "died", ["inr"]).coefficients["hr"].item()
    every = cox(capped, "days", "died", list(PLAN.covariates)).coefficients
    assert keys(result)["hr_alone:inr"] == pytest.approx(alone, rel=1e-12)
    assert result.table["hr_all"].to_list() == pytest.approx(every["hr"].to_list(), rel=1e-12)
    assert set(result.table["n"]) == {360}
    assert "40 of 400 patients lack a covariate and are not in this model." in result.remarks


def test_a_ratio_for_each_period_is_that_of_splitting_the_follow_up():
    spec = model(covariates=["inr", "cirrhosis"])
    result = run(said(kind="ph_diagnostics", split_at=[28, 84], **OF), plan=(spec,))
    rows = given(spec).counted(spec)
    design = rows.select(pl.col("inr", "cirrhosis").cast(pl.Float64)).to_numpy()
    stop, event = rows["event_days"].cast(pl.Float64).to_numpy(), rows["happened"].to_numpy()
    # one covariate split at a time agrees where the other hardly changes: compare with only that one split
    alone = piecewise_ratios(stop, event, design[:, :1], ["inr"], "inr", [28, 84]).table
    single = run(said(kind="ph_diagnostics", split_at=[28, 84], **OF), plan=(model(covariates=["inr"]),))
    assert single.more["periods"]["hr"].to_list() == pytest.approx(alone["hr"].to_list(), rel=1e-8)
    assert result.more["periods"]["term"].to_list()[:3] == [
        "inr, days 0–28", "inr, days 28–84", "inr, days from 84"
    ]  # fmt: skip


def test_transplant_counts_in_as_many_ways_as_the_table_says():
    result = run(KINDS["sensitivity"])
    found = keys(result)
    either = run(model(endpoint="death_or_transplant_168d", id="either"))
    assert found["hr_transplant_event:inr"] == pytest.approx(keys(either)["hr:inr"], rel=1e-12)
    sub = run(KINDS["competing"]).table.filter(
        (pl.col("state") == "death") & (pl.col("model") == "subdistribution") & (pl.col("term") == "inr")
    )
    assert found["hr_transplant_competing:inr"] == pytest.approx(sub["hr"].item(), rel=1e-12)
    died = result.table.filter((pl.col("choice") == "transplant_ignored") & (pl.col("term") == "inr"))["events"].item()
    assert died >= result.table.filter((pl.col("choice") == "primary") & (pl.col("term") == "inr"))["events"].item()
    assert set(result.table.group_by("choice").len()["len"]) == {4}


def test_the_lost_at_their_worst_have_died_and_at_their_best_lived():
    lost = cohort().with_columns(
        event_days=pl.when(pl.col("event") == "censored").then(pl.col("event_days") // 4).otherwise("event_days")
    )
    table = run(KINDS["sensitivity"], frame=lost).table.filter(pl.col("term") == "inr")
    events = dict(table.select("choice", "events").iter_rows())
    assert events["lost_to_follow_up_died"] > events["primary"] == events["lost_to_follow_up_lived"]


def test_a_changed_side_of_one_is_flagged():
    turned = cohort().with_columns(
        inr=pl.when(pl.col("calendar_year") >= 2018).then(6 - 2 * pl.col("inr")).otherwise("inr"),
    )
    spec = said(kind="sensitivity", era_from=2018, exposures=["inr"], **OF)
    result = run(spec, frame=turned)
    flagged = result.table.filter("sign_change")
    assert flagged["choice"].to_list() == ["later_era"]
    assert any(remark.startswith("On the other side of 1 than planned: inr") for remark in result.remarks)


def test_scores_are_judged_on_the_rows_of_the_model_and_the_model_on_those_of_the_scores():
    gaps = cohort().with_columns(meld=pl.when(pl.int_range(pl.len()) >= 60).then("meld"))
    result = run(KINDS["performance"], frame=gaps)
    assert set(result.table["n"]) == {340}
    by = {(row["horizon"], row["predictor"]): row for row in result.table.iter_rows(named=True)}
    assert by[84, "model"]["auc"] > by[84, "meld"]["auc"] > 0.5
    assert by[84, "model"]["cases"] == by[84, "meld"]["cases"]
    assert "340 of 400 patients have every covariate and every score." in result.remarks


def test_a_horizon_with_too_few_cases_is_named_and_not_judged():
    result = run(said(kind="performance", horizons=[1, 168], fewest=30, **OF))
    assert set(result.table["horizon"]) == {168}
    assert any(remark.startswith("Day 1 has") for remark in result.remarks)
    with pytest.raises(StatisticalProblem, match="Day 1 has"):
        run(said(kind="performance", horizons=[1], **OF))


def test_the_equation_gives_back_the_risk_the_model_predicts():
    result = run(KINDS["prediction"])
    found, rows = keys(result), given(PLAN).cohort
    person = rows.row(0, named=True)
    linear = sum(
        found[f"coefficient:{name}"] * (float(person[name]) - found[f"centre:{name}"]) for name in PLAN.covariates
    )
    risk = 1 - found["baseline_168d"] ** np.exp(linear)
    assert 0 < risk < 1
    again = run(said(kind="performance", horizons=[168], **OF)).table
    assert again["oe"].item() == pytest.approx(1, abs=0.15)


def test_missing_values_are_imputed_and_pooled():
    rng = np.random.default_rng(3)
    gaps = cohort().with_columns(
        inr=pl.when(pl.Series(rng.random(400) > 0.2)).then("inr"),
        he_grade=pl.when(pl.Series(rng.random(400) > 0.1)).then("he_grade"),
    )
    plan = model(covariates=["inr", "sodium", "he_any"])
    spec = said(kind="imputations", sets=4, rounds=3, seed=1, **OF)
    result = run(spec, frame=gaps, plan=(plan, spec))
    assert set(result.table["n"]) == {400}
    assert set(result.more["missing"]["column"]) == {"inr", "he_grade"}
    assert result.table["fmi"].max() < 0.6
    assert keys(result)["hr:inr"] == pytest.approx(np.exp(0.8), rel=0.35)
    validated = run(said(kind="validation", id="v", horizons=[84], resamples=3, seed=1, **OF), frame=gaps,
                    plan=(plan, spec))  # fmt: skip
    assert any("4 imputations" in remark for remark in validated.remarks)
    with pytest.raises(StatisticalProblem, match="no value of the model is missing"):
        run(spec, plan=(plan, spec))


def zeros(name: str, entry: int = 0) -> pl.DataFrame:
    """Everybody counted from `name`, entering after so many days."""
    rows = cohort()
    return rows.select(
        "candidate_id", pl.lit(name).alias("time_zero"), pl.lit(ZERO).alias("zero_on"), pl.lit(True).alias("in_cohort"),
        pl.lit(entry).cast(pl.Int64).alias("entry_days"), (pl.col("event_days") + entry).alias("exit_days"), "event",
        "event_on", "end_state", pl.lit(2).cast(pl.Int64).alias("infusions_by_entry"),
        pl.lit(None, pl.String).alias("problem"),
    )  # fmt: skip


def test_each_time_zero_answers_its_own_question():
    table = pl.concat([zeros("second_infusion"), zeros("first_infusion", entry=10)])
    spec = said(kind="immortal_time", endpoint="death_or_transplant_336d", horizons=[28, 168],
                time_zeros=["second_infusion", "first_infusion"])  # fmt: skip
    found = keys(run(spec, tables={"time_zeros": table}))
    plain = keys(run(said(kind="kaplan_meier", endpoint="death_or_transplant_336d", horizons=[28, 168, 18, 158])))
    assert found["survival_28d:second_infusion"] == pytest.approx(plain["survival_28d"], rel=1e-12)
    # all enter on day 10: day 28 from the first is day 18 from the second
    assert found["survival_28d:first_infusion"] == pytest.approx(plain["survival_18d"], rel=1e-12)
    assert found["survival_168d:first_infusion"] == pytest.approx(plain["survival_158d"], rel=1e-12)


def irregular(rows: pl.DataFrame) -> pl.DataFrame:
    """Infusions some 12 days apart until death or the fifth further one: the counting process of what does nothing."""
    rng, lines = np.random.default_rng(11), []
    for row in rows.iter_rows(named=True):
        days = np.unique(np.ceil(np.cumsum(rng.exponential(12, 5)))).astype(int).tolist()
        cuts = [0, *(day for day in days if day < row["event_days"]), row["event_days"]]
        for k, (start, stop) in enumerate(pairwise(cuts)):
            event = row["event"] if stop == row["event_days"] else "none"
            lines.append((row["candidate_id"], k, start, stop, event, 2 + k))
    return pl.DataFrame(
        lines, orient="row",
        schema=["candidate_id", "interval_no", "start_days", "stop_days", "event", "infusions_so_far"],
    )  # fmt: skip


def test_infusions_that_do_nothing_have_no_ratio_once_they_enter_when_they_are_given():
    rows = cohort(n=1500, seed=5, hazard=0.02)
    spec = said(kind="infusion_timevarying", covariates=["age_years", "inr"], **OF)
    result = run(spec, frame=rows, tables={"intervals": irregular(rows), "time_zeros": zeros("second_infusion")})
    assert abs(np.log(keys(result)["hr:infusions_so_far"])) < 0.1
    assert result.table["term"].to_list() == ["infusions_so_far", "age_years", "inr"]
    assert any("lives longer" in remark for remark in result.remarks)
    given_in_all = irregular(rows).group_by("candidate_id").agg(pl.col("infusions_so_far").max().alias("all"))
    naive = rows.join(given_in_all, on="candidate_id").with_columns(
        died=pl.col("event") == "death"
    )  # fmt: skip
    assert cox(naive, "event_days", "died", ["all", "inr"]).coefficients["log_hr"][0] < -0.3


def test_each_rule_of_data_quality_and_each_time_zero_is_a_row_of_the_same_columns():
    touched = cohort()["candidate_id"].to_list()[:25]
    provenance = pl.DataFrame(
        {"candidate_id": touched * 2, "variable": ["inr"] * 25 + ["weight_kg"] * 25,
         "rule_ids": [["labs_unit_repaired"]] * 25 + [["vitals_exchanged"]] * 25}
    )  # fmt: skip
    table = pl.concat([zeros("first_infusion", entry=10), zeros("landmark_14d"), zeros("second_infusion")])
    tables = {"cohort_provenance": provenance, "time_zeros": table}
    result = run(KINDS["sensitivity"], tables=tables).table.filter(pl.col("term") == "inr")
    rows = {row["choice"]: row for row in result.iter_rows(named=True)}
    assert rows["without_labs_unit_repaired"]["n"] == 375
    assert "25 patients" in rows["without_labs_unit_repaired"]["says"]
    assert "without_vitals_exchanged" not in rows
    # everybody enters on day 10 of a clock that runs 10 days ahead: the order of deaths is that of the primary row
    later = run(model(endpoint="death_168d", id="shifted"), frame=cohort().with_columns(pl.col("event_days") + 10))
    assert rows["first_infusion"]["hr"] == pytest.approx(keys(later)["hr:inr"], rel=1e-9)
    assert rows["landmark_14d"]["hr"] == pytest.approx(rows["primary"]["hr"], rel=1e-9)


def test_discharge_against_advice_has_its_three_rows():
    left = cohort().with_columns(
        end_state=pl.when(pl.col("event") == "censored").then(pl.lit("against_advice")).otherwise("end_state"),
        event_days=pl.when(pl.col("event") == "censored").then(pl.col("event_days") // 4).otherwise("event_days"),
    )
    table = run(KINDS["sensitivity"], frame=left).table.filter(pl.col("term") == "inr")
    rows = {row["choice"]: row for row in table.iter_rows(named=True)}
    assert rows["against_advice_died"]["events"] > rows["primary"]["events"]
    assert (
        rows["against_advice_lived"]["events"] == rows["primary"]["events"] == rows["against_advice_left_out"]["events"]
    )
    assert rows["against_advice_left_out"]["n"] < rows["primary"]["n"]
