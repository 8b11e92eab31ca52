"""The study page: a section per stanza, no typed number, and no sentence about an effect of treatment."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import polars as pl
import pytest

from aclf_pipeline.reports import drawing, study
from aclf_pipeline.reports.study import Analysed
from aclf_pipeline_tests.reports import sample
from aclf_pipeline_tests.reports.reading import read


@cache
def page() -> str:
    return study.page(sample.study_context())


def text_of(**changes: object) -> str:
    if not changes:
        return " ".join(read(page()).text.split())
    return " ".join(read(study.page(sample.study_context(**changes))).text.split())


def test_the_page_says_what_it_is_made_from() -> None:
    text = text_of()
    for said in ("NCT07198854", "2019-10-31", "3f9c2a7be0d1", "77e0b1c44a02", sample.study().time_zero):
        assert said in text


def test_every_stanza_is_a_section_in_the_order_of_the_plan() -> None:
    html = page()
    ids = [name.removeprefix("analysis-") for name in read(html).ids if name.startswith("analysis-")]
    assert ids == [analysed.spec.id for analysed in sample.plan()]
    assert all(analysed.spec.because in html for analysed in sample.plan())


def test_no_number_is_typed_in_the_template() -> None:
    template = resources.files("aclf_pipeline.reports").joinpath("templates/study.html.j2").read_text()
    said = re.sub(r"\{[{%#].*?[}%#]\}|<[^>]*>", " ", template, flags=re.DOTALL)
    assert re.findall(r"\d", said) == []
    strings = re.findall(r'"([^"]*)"', " ".join(re.findall(r"\{[{%].*?[}%]\}", template, flags=re.DOTALL)))
    assert [one for one in strings if re.search(r"\d", one) and not one.endswith(".j2")] == []


def test_figures_are_numbered_and_state_persons_and_events() -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page(), re.DOTALL)
    assert [re.sub(r"<.*?>", "", caption).split(".")[0] for caption in captions] == [
        f"Figure {number}" for number in range(1, 7)
    ]
    assert all(re.search(r"N = [\d,]+", caption) and re.search(r"event", caption) for caption in captions)


def test_the_flow_names_the_events_of_the_primary_endpoint() -> None:
    deaths = sum(event == "death" and days <= 168 for days, event, _ in sample.patients())
    assert f"Death from any cause within 24 weeks: {deaths} events" in text_of()


def changed(position: int, table: pl.DataFrame) -> tuple[Analysed, ...]:
    plan = list(sample.plan())
    old = plan[position]
    plan[position] = Analysed(old.spec, table, old.results, old.more, old.remarks)
    return tuple(plan)


def test_every_number_comes_from_its_frame() -> None:
    plan = sample.plan()
    before = text_of()
    cases = [
        ({"analyses": changed(0, plan[0].table.with_columns(value_text=pl.lit("777 [7–77]")))}, "777 [7–77]"),
        ({"analyses": changed(1, plan[1].table.with_columns(survival=pl.lit(0.12345)))}, "12.3 %"),
        ({"analyses": changed(3, plan[3].table.with_columns(statistic=pl.lit(7.654)))}, "7.65"),
        ({"analyses": changed(4, plan[4].table.with_columns(probability=pl.lit(0.98765)))}, "98.8 %"),
        ({"analyses": changed(5, plan[5].table.with_columns(hr=pl.lit(9.87)))}, "9.87"),
        ({"attrition": sample.attrition().with_columns(failing_any=pl.lit(8_765))}, "8,765"),
        ({"missingness": pl.DataFrame({"variable": ["inr"], "n": [446], "missing": [99]})}, "99 (22.2 %)"),
    ]
    for change, shown in cases:
        assert shown not in before
        assert shown in text_of(**change)


def test_survival_is_read_at_the_horizons_of_the_plan() -> None:
    curve = sample.plan()[1].table
    at = curve.filter(pl.col("time") == 168).row(0, named=True)
    deaths = curve.filter(pl.col("time") <= 168)["events"].sum()
    assert re.search(rf"168 {100 * at['survival']:.1f} % \([\d.–]+ %\) {at['at_risk']} {deaths}", text_of())


def test_the_log_rank_test_of_the_same_groups_stands_under_the_curves() -> None:
    figures = study.drawings(sample.study_context())
    assert "Log-rank p = 0.002 (chi-square 9.81, df 1)." in figures["km_by_cirrhosis"].caption
    assert "Log-rank" not in figures["km_overall"].caption


def test_the_figures_of_a_release_are_those_of_the_page() -> None:
    context = sample.study_context()
    figures = study.drawings(context)
    html = study.page(context)
    assert list(figures) == ["flow", "km_overall", "km_by_cirrhosis", "logrank_cirrhosis", "cif", "cox_primary"]
    assert all(figure.svg in html for figure in figures.values())


def test_an_analysis_that_cannot_be_answered_says_why() -> None:
    assert "Not estimable. A model needs events; there is 1." in text_of()


LIMITS = [
    "There is no untreated arm",
    "it is never an effect of the mesenchymal stromal cells",
    "Time zero is the second infusion: every survival figure is conditional on having survived to it",
    "Transplant is a competing event",
    "446 (37.0 %) of 1,204 candidates were analysed",
    "Missing in more than 40 % of the cohort: MELD (49 %).",
]


@pytest.mark.parametrize("sentence", LIMITS)
def test_what_it_cannot_say_is_said(sentence: str) -> None:
    assert sentence in text_of()


def test_a_study_without_infusions_speaks_of_none() -> None:
    other = sample.study().model_copy(update={"parameters": {}})
    text = text_of(study=other)
    assert "mesenchymal stromal cells," not in text
    assert "never an effect of a treatment" in text
    assert "conditional on having reached it" in text


def test_too_few_events_for_the_factors_are_said() -> None:
    plan = list(sample.plan())
    small = sample.results(events_per_df=(4.2, None, None, 50, 30))
    plan[5] = Analysed(plan[5].spec, plan[5].table, small)
    assert "Pre-specified predictors of death: 4.2 events per degree of freedom, below 10" in text_of(
        analyses=tuple(plan)
    )
    assert "events per degree of freedom" not in text_of()


def test_notes_of_the_caller_join_the_limits() -> None:
    assert "The registry entry is retrospective." in text_of(notes=("The registry entry is retrospective.",))


def test_an_empty_study_is_said_in_sentences() -> None:
    text = text_of(attrition=pl.DataFrame(), analyses=(), missingness=pl.DataFrame())
    for sentence in ("No candidate was held against the criteria.", "The analysis plan has no stanza.",
                     "no variable was counted."):  # fmt: skip
        assert sentence in text


def test_an_analysis_without_rows_is_said_in_a_sentence() -> None:
    plan = tuple(Analysed(analysed.spec, analysed.table.clear()) for analysed in sample.plan())
    assert text_of(analyses=plan).count("This analysis has no result yet.") == len(plan)


def test_hostile_values_stay_text() -> None:
    attack = '"><script>alert(1)</script>'
    plan = changed(0, sample.plan()[0].table.with_columns(value_text=pl.lit(attack), level=pl.lit(attack)))
    html = study.page(sample.study_context(analyses=plan, notes=(attack,), data_digest=attack))
    assert read(html).count("script") == 0
    assert "alert(1)" in read(html).text


NAMES = """
term                    reads
age_years               Age, years
inr                     INR
creatinine              Creatinine, umol/L
cirrhosis_true          Cirrhosis: yes
sex[male]               Sex: male
sodium:spline_2         Sodium, mmol/L: spline_2
unheard_of              Unheard of
"""


@pytest.mark.parametrize("line", NAMES.strip().splitlines()[1:])
def test_terms_are_called_by_the_names_of_the_study(line: str) -> None:
    term, reads = line.split(maxsplit=1)
    assert drawing.term_labels(sample.study(), [term]) == {term: reads}


def test_missing_values_are_counted_with_nan_among_them() -> None:
    cohort = pl.DataFrame({"inr": [1.0, float("nan"), None], "sex": ["male", None, "female"]})
    counted = study.missingness(cohort, ["inr", "sex", "not_there"])
    assert counted.rows() == [("inr", 3, 2), ("sex", 3, 1)]
