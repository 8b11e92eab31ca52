"""The door through which a cohort gets its scores: units, missing inputs, provenance."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.score_table import SCORES, ScoreError, add_scores
from aclf_pipeline_tests.science.cutoffs import ORGANS

UNITS = {
    "bilirubin_total": "umol/L",
    "creatinine": "umol/L",
    "albumin": "g/L",
    "inr": "1",
    "sodium": "mmol/L",
    "neutrophils": "10*9/L",
    "lymphocytes": "10*9/L",
    "map": "mm[Hg]",
    "pao2": "mm[Hg]",
    "spo2": "%",
    "fio2": "%",
    "age_years": "a",
    "wbc": "10*9/L",
    "platelets": "10*9/L",
    "monocytes": "10*9/L",
    "lactate": "mmol/L",
    "urea": "mmol/L",
    "ast": "U/L",
    "alt": "U/L",
    "bilirubin_direct": "umol/L",
}
FACTORS = {
    ("bilirubin_total", "mg/dL"): 1 / 17.1,
    ("creatinine", "mg/dL"): 1 / 88.4,
    ("albumin", "g/dL"): 0.1,
    ("fio2", "1"): 0.01,
}
PATIENT = {
    "candidate_id": "P1",
    "bilirubin_total": 12 * 17.1,
    "creatinine": 1.8 * 88.4,
    "albumin": 20.0,
    "inr": 2.2,
    "sodium": 128.0,
    "neutrophils": 6.0,
    "lymphocytes": 1.5,
    "sex": "male",
    "dialysis": False,
    "vasopressor": False,
    "he_grade": 1,
    "map": 80.0,
    "spo2": 97.0,
    "fio2": 21.0,
    "pao2": None,
    "age_years": 43.0,
    "wbc": 8.0,
    "platelets": 90.0,
    "monocytes": 0.6,
    "lactate": 2.0,
    "urea": 4.2,
    "ascites": 1,
    "ast": 160.0,
    "alt": 80.0,
    "bilirubin_direct": 0.75 * 12 * 17.1,
}


def cohort(*changes: dict[str, object]) -> pl.DataFrame:
    rows = [{**PATIENT, "candidate_id": f"P{i}", **change} for i, change in enumerate(changes or ({},), start=1)]
    return pl.DataFrame(rows, schema_overrides={"pao2": pl.Float64, "platelets": pl.Float64, "lactate": pl.Float64})


def scored(*changes: dict[str, object], names: list[str] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    return add_scores(cohort(*changes), names or list(SCORES), FACTORS, UNITS, cutoffs=ORGANS)


def test_a_patient_of_kim_2021_in_si_units():
    frame, lines = scored()
    row = frame.row(0, named=True)
    assert row["meld_3_0"] == 34
    assert row["nlr"] == 4
    assert row["clif_c_of"] == row["clif_c_of_low"] == row["clif_c_of_high"] == 3 + 1 + 2 + 2 + 1 + 1
    assert row["easl_clif_grade_low"] == row["easl_clif_grade_high"] == 1
    assert frame.schema["meld"] == pl.Float64
    assert lines.height == len(SCORES)


def test_every_value_says_what_it_was_made_of():
    _, lines = scored(names=["meld", "nlr", "meld_3_0"])
    says = dict(lines.select("variable", "explanation").rows())
    assert says["meld"] == (
        "MELD before the sodium term 30 from bilirubin 12 mg/dL, creatinine 1.8 mg/dL, INR 2.2, dialysis no; "
        "unclamped 30.28"
    )
    assert says["nlr"].endswith("4 from neutrophils 6 10*9/L, lymphocytes 1.5 10*9/L")
    assert ", male" in says["meld_3_0"]


def test_a_missing_input_leaves_the_score_missing_and_named():
    frame, lines = scored({"inr": None, "albumin": float("nan")}, names=["meld", "albi", "nlr"])
    assert frame.select("meld", "albi", "nlr").row(0) == (None, None, 4.0)
    by_name = {line["variable"]: line for line in lines.iter_rows(named=True)}
    assert by_name["meld"]["missing_inputs"] == ["inr"]
    assert by_name["meld"]["inputs"] == ["bilirubin_total", "creatinine", "dialysis"]
    assert by_name["meld"]["value"] is None
    assert "not computable (missing: inr)" in by_name["meld"]["explanation"]
    assert "missing: albumin" in by_name["albi"]["explanation"]


def test_unknown_dialysis_or_sex_leaves_the_score_missing():
    frame, _ = scored({"dialysis": None}, {"sex": "unknown"}, {}, names=["meld", "meld_3_0"])
    assert frame.select("meld", "meld_3_0").rows() == [(None, None), (30.0, None), (30.0, 34.0)]


def test_an_unmeasured_organ_widens_the_bounds_and_undecides_the_total():
    frame, lines = scored({"spo2": None}, names=["clif_c_of_low", "clif_c_of_high", "clif_c_of"])
    assert frame.select("clif_c_of_low", "clif_c_of_high", "clif_c_of").row(0) == (10.0, 12.0, None)
    assert "unmeasured: pao2, spo2" in lines["explanation"][0]


def test_a_column_that_is_not_there_is_an_unmeasured_organ_but_a_misprint_for_other_scores():
    bare = cohort().drop("spo2", "pao2", "fio2", "sodium")
    frame, _ = add_scores(bare, ["clif_c_of_low", "clif_c_of_high"], FACTORS, UNITS, cutoffs=ORGANS)
    assert frame.select("clif_c_of_low", "clif_c_of_high").row(0) == (10.0, 12.0)
    with pytest.raises(ScoreError, match="'meld_3_0' asks for variable 'sodium'"):
        add_scores(bare, ["meld_3_0"], FACTORS, UNITS)


def test_unit_errors_show_in_the_explanation():
    wrong = {**FACTORS, ("bilirubin_total", "mg/dL"): 1.0, ("creatinine", "mg/dL"): 1.0}
    frame, lines = add_scores(cohort(), ["meld"], wrong, UNITS)
    assert frame["meld"].item() == 40
    assert "above 50: check the units" in lines["explanation"].item()


def test_the_unit_gate_names_score_variable_and_unit_and_everything_at_once():
    with pytest.raises(ScoreError) as caught:
        add_scores(
            cohort(), ["meld", "albi", "medl", "clif_c_of"], {}, {"albumin": "g/dL", **dict.fromkeys(["inr"], "1")}
        )
    message = str(caught.value)
    assert "score 'meld' wants 'bilirubin_total' in mg/dL, which comes in an unstated unit" in message
    assert "score 'albi' wants 'albumin' in g/L, which comes in g/dL" in message
    assert "'medl' is not a score. Did you mean 'meld'?" in message
    assert "'clif_c_of' asks for organ-failure cut-offs" in message


def test_an_empty_cohort_gets_empty_scores():
    frame, lines = add_scores(cohort().clear(), list(SCORES), FACTORS, UNITS, cutoffs=ORGANS)
    assert frame.height == lines.height == 0
    assert set(SCORES) <= set(frame.columns)


def test_the_patient_by_every_other_score():
    frame, _ = scored()
    row = frame.row(0, named=True)
    assert row["child_pugh"] == row["child_pugh_low"] == row["child_pugh_high"] == 3 + 3 + 2 + 2 + 2
    assert row["aarc"] == row["aarc_low"] == row["aarc_high"] == 1 + 2 + 2 + 2 + 3
    assert row["albi_grade"] == 3
    # 10·(0.33·10 + 0.04·43 + 0.63·ln 8 − 2)
    assert row["clif_c_aclf_low"] == row["clif_c_aclf_high"] == pytest.approx(43.3, abs=0.005)
    # liver 4, kidney 1, brain 1, coagulation 3, circulation 0, lungs 97 / 0.21 = 462: 1
    assert row["clif_sofa_low"] == row["clif_sofa_high"] == 10
    assert (row["plr"], row["mlr"], row["de_ritis"]) == pytest.approx((60, 0.4, 2))
    assert row["direct_share"] == pytest.approx(0.75)
    assert row["fib4"] == pytest.approx(43 * 160 / (90 * 80**0.5))
    assert row["apri"] == pytest.approx(100 * 160 / 40 / 90)


def test_cossh_aclf_ii_takes_bilirubin_in_si_whatever_the_column_is_in():
    typical = {"age_years": 43.0, "inr": 2.08, "neutrophils": 5.36, "urea": 4.2, "he_grade": 0}
    frame, lines = scored({**typical, "bilirubin_total": 442.5}, names=["cossh_aclf_ii"])
    assert frame["cossh_aclf_ii"].item() == pytest.approx(7.04, abs=0.005)
    assert lines["explanation"].item() == (
        "COSSH-ACLF II 7.036 from INR 2.08, he grade 0, neutrophils 5.36 10*9/L, bilirubin 442.5 umol/L, "
        "urea 4.2 mmol/L, age 43 years"
    )


def test_clif_c_ad_is_for_those_without_aclf_only_and_says_so():
    well = {"bilirubin_total": 40.0, "creatinine": 80.0, "inr": 1.3, "he_grade": 0}
    frame, lines = scored({}, well, {**well, "spo2": None, "he_grade": None}, names=["clif_c_ad"])
    assert frame["clif_c_ad"].is_null().to_list() == [True, False, True]
    because = lines["explanation"].to_list()
    assert "not computable (made for decompensation without ACLF; here EASL-CLIF grade 1)" in because[0]
    assert "here EASL-CLIF grade 0 to 2)" in because[2]


def test_a_missing_input_is_an_interval_where_the_score_has_bounds():
    names = ["child_pugh", "aarc", "cossh_aclf_ii"]
    frame, lines = scored(
        {"he_grade": None, "lactate": None}, names=[*names, *(f"{n}_{side}" for n in names for side in ("low", "high"))]
    )
    row = frame.row(0, named=True)
    assert [row[name] for name in names] == [None, None, None]
    assert (row["child_pugh_low"], row["child_pugh_high"]) == (11, 13)
    assert (row["aarc_low"], row["aarc_high"]) == (8, 12)
    assert row["cossh_aclf_ii_high"] - row["cossh_aclf_ii_low"] == pytest.approx(2 * 0.457)
    assert "unmeasured: he_grade" in lines.filter(pl.col("variable") == "child_pugh_low")["explanation"].item()


def test_every_score_has_a_source_and_takes_its_arguments():
    for score in SCORES.values():
        assert score.source
        assert score.says


@given(
    bilirubin=st.floats(10, 900),
    creatinine=st.floats(30, 900),
    albumin=st.floats(10, 55),
)
def test_scores_do_not_depend_on_the_unit_of_the_column(bilirubin, creatinine, albumin):
    names = ["meld", "meld_3_0", "clif_c_of_low", "easl_clif_grade_high", "albi"]
    si = cohort({"bilirubin_total": bilirubin, "creatinine": creatinine, "albumin": albumin})
    conventional = si.with_columns(
        pl.col("bilirubin_total") / 17.1, pl.col("creatinine") / 88.4, pl.col("albumin") / 10
    )
    units = {**UNITS, "bilirubin_total": "mg/dL", "creatinine": "mg/dL", "albumin": "g/dL"}
    factors = {("bilirubin_total", "umol/L"): 17.1, ("albumin", "g/L"): 10.0, ("fio2", "1"): 0.01}
    one, _ = add_scores(si, names, FACTORS, UNITS, cutoffs=ORGANS)
    two, _ = add_scores(conventional, names, factors, units, cutoffs=ORGANS)
    for name in names:
        assert one[name].item() == pytest.approx(two[name].item(), abs=1e-9), name
