"""Every kind of the plan has its tables on the study page; what a guard withheld says why and shows no number."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.reports import study as page
from aclf_pipeline.reports.analysis_tables import analysis_tables
from aclf_pipeline.reports.plan_drawing import figures_of
from aclf_pipeline.science.analyses import run_analysis
from aclf_pipeline_tests.reports.reading import read
from aclf_pipeline_tests.reports.sample import study_context
from aclf_pipeline_tests.science.plan_world import cohort, given, study
from aclf_pipeline_tests.science.test_plan_analyses import KINDS, PLAN


def analysed(spec, frame=None) -> page.Analysed:
    made = given(PLAN, frame=frame)
    result = run_analysis(spec, made.cohort, made.study, plan=made.plan)
    return page.Analysed(spec, result.table, result.results, result.more, result.remarks)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_table_whose_columns_are_filled(kind):
    shown = analysis_tables(study(), analysed(KINDS[kind]))
    assert shown
    for caption, columns, rows in shown:
        assert caption
        assert rows
        assert all(isinstance(row.get(name), str | int) for row in rows for name, _, _ in columns)
        assert len({head for _, head, _ in columns}) == len(columns)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("univariable", ["it"]), ("firth", ["it"]), ("ph_diagnostics", ["it"]), ("subgroups", ["it"]),
        ("functional_form", ["it", "it-inr"]), ("prediction", ["it"]),
        ("performance", ["it", "it-calibration", "it-decision"]), ("sensitivity", []),
    ],
)  # fmt: skip
def test_models_diagnostics_and_performance_have_their_figures_with_the_data_behind_them(kind, names):
    made = analysed(KINDS[kind])
    figures = figures_of(made.spec, made, study(), synthetic=True)
    assert [figure.id for figure in figures] == names
    assert all(figure.data.height and "SYNTHETIC DATA" in figure.svg for figure in figures)


def test_a_changed_side_of_one_carries_a_mark_and_all_choices_share_the_columns():
    turned = cohort().with_columns(
        inr=pl.when(pl.col("calendar_year") >= 2014).then(6 - 2 * pl.col("inr")).otherwise("inr")
    )
    ((_, columns, rows),) = analysis_tables(study(), analysed(KINDS["sensitivity"], turned))
    names = {name for name, _, _ in columns}
    assert all(names <= row.keys() for row in rows)
    marked = [row["says"] for row in rows if "⚑" in row["inr"]]
    assert "Time zero in 2014 or later" in marked or rows[0]["inr"].startswith("0.")


def test_what_a_guard_withheld_is_a_sentence_and_no_table():
    withheld = page.Analysed(PLAN, reason="Withheld by a guard: It asks for too much. Because. Ask for less.")
    html = page.page(study_context(study=study(), analyses=(withheld,)))
    text = read(html).text
    assert "Withheld by a guard." in text
    assert "Ask for less." in text
    assert "Not estimable" not in text
    assert "Hazard ratios, all factors in one model" not in text


def test_the_page_follows_the_plan_and_names_the_endpoint_of_what_is_of_a_model():
    parts = (analysed(PLAN), analysed(KINDS["univariable"]), analysed(KINDS["prediction"]))
    html = page.page(study_context(study=study(), analyses=parts))
    ids = [name for name in read(html).ids if name.startswith("analysis-")]
    assert ids[:2] == ["analysis-model", "analysis-it"]
    assert read(html).text.count("Endpoint: Death from any cause within 24 weeks.") == 3


PRINTED = {  # of each part: the numbers a table prints that are estimates
    "univariable": {"": ["hr", "p", "hr_all", "lower_all", "p_all"]}, "ph_diagnostics": {"": ["statistic", "p"],
    "periods": ["hr", "lower", "upper", "p"]}, "influence": {"": ["dfbetas", "martingale"], "without": ["hr", "p"]},
    "functional_form": {"": ["statistic", "p", "nonlinear", "p_nonlinear"]}, "competing": {"": ["hr", "lower", "p"],
    "gray": ["statistic", "p"]}, "prediction": {"": ["coefficient", "centre"], "baseline": ["survival", "risk"],
    "points": ["points"], "chances": ["points"]}, "validation": {"": ["apparent", "optimism", "corrected", "lower"]},
    "performance": {"": ["auc", "auc_lower", "brier", "ipa", "oe", "slope", "ici", "e50", "e90"],
    "decision": ["net_benefit"]}, "lasso": {"": ["hr", "selected", "positive"]},
    "subgroups": {"": ["hr", "lower", "p_interaction", "p_holm"]}, "rmst": {"": ["mean", "lower", "upper"]},
    "sensitivity": {"": ["hr", "lower", "upper"]}, "follow_up": {"": ["share"]}, "firth": {"": ["hr", "lower", "p"]},
}  # fmt: skip


@pytest.mark.parametrize("kind", PRINTED)
def test_every_estimate_a_table_prints_has_a_key(kind):
    made = analysed(KINDS[kind])
    keyed = {value for name in ("estimate", "lower", "upper", "p") for value in made.results[name].drop_nulls()}
    for part, columns in PRINTED[kind].items():
        frame = made.more[part] if part else made.table
        for column in columns:
            assert set(frame[column].drop_nulls()) <= keyed, (part, column)
