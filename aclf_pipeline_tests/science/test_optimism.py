"""Bootstrap validation: exactly R on R's resamples, and honest about selection, failures and imputations."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from aclf_pipeline.science.concordance import harrell
from aclf_pipeline.science.cox_curves import survival
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.optimism import (
    CoxOnRows,
    Predictions,
    bootstrap_draws,
    optimism,
    resample,
    validate,
)
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.survival_performance import brier_score
from aclf_pipeline_tests.science.published import FOLDER, published
from aclf_pipeline_tests.science.reference import FOLDER as BESIDE

HORIZONS = (365.0, 1825.0)


@pytest.fixture(scope="module")
def theirs() -> Any:
    return json.loads((FOLDER / "optimism.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def pbc(theirs: Any) -> CoxOnRows:
    frame = published("pbc_complete")
    return CoxOnRows(
        frame["time"].cast(pl.Float64).to_numpy(),
        frame["tfs"].to_numpy() == 1,
        frame.select(pl.col(theirs["terms"]).cast(pl.Float64)).to_numpy(),
        tuple(theirs["terms"]),
        HORIZONS,
    )


def without_horizons(fit: CoxOnRows) -> CoxOnRows:
    return replace(fit, horizons=())


def test_each_resample_equals_r(pbc: CoxOnRows, theirs: Any) -> None:
    found = resample(pbc.stop, pbc.event, without_horizons(pbc), np.array(theirs["draws"]))
    assert found.apparent[0] == pytest.approx(theirs["apparent"], abs=1e-12)
    np.testing.assert_allclose(found.own[:, 0], theirs["boot_c"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.test[:, 0], theirs["test_c"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.test[:, 1], theirs["slope"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.own[:, 1], 1, atol=1e-10)


@pytest.mark.slow
def test_all_resamples_together_equal_r(pbc: CoxOnRows, theirs: Any) -> None:
    path = BESIDE / "inputs" / "pbc_boot_idx0_200.csv"
    if not path.exists():
        pytest.skip("no 'pbc_boot_idx0_200' beside the repository")
    draws = np.loadtxt(path, delimiter=",", dtype=np.int64)
    c, slope = optimism(pbc.stop, pbc.event, [without_horizons(pbc)], draws).table.iter_rows(named=True)
    assert c["optimism"] == pytest.approx(theirs["all_200"]["optimism"], abs=1e-12)
    assert c["corrected"] == pytest.approx(theirs["all_200"]["corrected"], abs=1e-12)
    assert slope["corrected"] == pytest.approx(theirs["all_200"]["slope_corrected"], abs=1e-10)
    # rms::validate draws its own thousand
    assert c["corrected"] == pytest.approx(0.5 + theirs["rms_dxy_corrected"] / 2, abs=0.004)


def test_figures_are_those_of_models_made_and_measured_by_hand(pbc: CoxOnRows, theirs: Any) -> None:
    rows = np.array(theirs["draws"][0])
    found = resample(pbc.stop, pbc.event, pbc, [rows], horizons=HORIZONS)
    fit = fit_cox(pbc.stop[rows], pbc.event[rows], pbc.design[rows], pbc.names)
    for where, got in ((rows, found.own[0]), (np.arange(len(pbc.stop)), found.test[0])):
        linear = pbc.design[where] @ fit.coef
        risk = 1 - survival(fit, pbc.design[where], np.array(HORIZONS)).survival
        table = brier_score(pbc.stop[where], pbc.event[where], risk, HORIZONS)
        assert got[0] == pytest.approx(harrell(pbc.stop[where], pbc.event[where], linear).c)
        slope = fit_cox(pbc.stop[where], pbc.event[where], linear[:, None], ["x"]).coef[0]
        assert got[1] == pytest.approx(slope, abs=1e-9)
        np.testing.assert_allclose(got[2:], [*table["brier"], *table["ipa"]], atol=1e-12)
    assert found.labels[2:] == (("brier", 365.0), ("brier", 1825.0), ("ipa", 365.0), ("ipa", 1825.0))


def test_the_table_tells_of_every_measure(pbc: CoxOnRows, theirs: Any) -> None:
    draws = np.array(theirs["draws"])
    found = resample(pbc.stop, pbc.event, pbc, draws, horizons=HORIZONS)
    table = validate([found]).table
    assert table.select("measure", "horizon").rows() == list(found.labels)
    np.testing.assert_allclose(table["optimism"], (found.own - found.test).mean(axis=0))
    np.testing.assert_allclose(table["corrected"], table["apparent"] - table["optimism"])
    assert table["n"].unique().to_list() == [30]
    c = table.row(0, named=True)
    assert c["lower"] < c["corrected"] < c["upper"]
    assert table.filter(measure="slope").select("lower", "upper").row(0) == (None, None)


def test_parts_and_workers_do_not_change_a_figure(pbc: CoxOnRows, theirs: Any) -> None:
    draws, whole = np.array(theirs["draws"])[:9], without_horizons(pbc)
    other = replace(whole, design=pbc.design + np.random.default_rng(1).normal(0, 0.1, pbc.design.shape))
    one = optimism(pbc.stop, pbc.event, [whole, other], draws)
    with ThreadPoolExecutor(2) as pool:
        two = optimism(pbc.stop, pbc.event, [whole, other], draws, run=pool.map, pieces=4)
    assert one.table.equals(two.table)
    assert (one.data_sets, one.draws, one.table["n"][0]) == (2, 9, 18)
    each = [optimism(pbc.stop, pbc.event, [fit], draws).table["corrected"][0] for fit in (whole, other)]
    assert one.table["corrected"][0] == pytest.approx(np.mean(each))
    assert one.table["between_sd"][0] == pytest.approx(np.std(each, ddof=1))


@dataclass(frozen=True)
class BestOfMany:
    """A model on whichever single covariate has the largest |z|: selection, redone on the rows given, or not."""

    stop: Any
    event: Any
    design: Any
    redo: bool = True

    def __call__(self, rows: Any) -> Predictions:
        looked_at = rows if self.redo else np.arange(len(self.stop))
        scores = [abs(self._fit(looked_at, k).wald.statistic) for k in range(self.design.shape[1])]
        best = int(np.argmax(scores))
        return Predictions(self.design[:, best] * self._fit(rows, best).coef[0])

    def _fit(self, rows: Any, k: int) -> Any:
        return fit_cox(self.stop[rows], self.event[rows], self.design[rows][:, [k]], ["x"])


def test_selection_inside_the_resample_is_paid_for() -> None:
    """Twelve columns of noise: the best of them looks good; only a bootstrap that selects again says it is nothing."""
    rng = np.random.default_rng(4)
    n = 100
    noise = BestOfMany(rng.exponential(1, n), rng.random(n) < 0.7, rng.normal(size=(n, 12)))
    draws = bootstrap_draws(n, 40, seed=1)
    again, once = (
        optimism(fit.stop, fit.event, [fit], draws).table.row(0, named=True)
        for fit in (noise, replace(noise, redo=False))
    )
    assert again["apparent"] == once["apparent"] > 0.55
    assert again["corrected"] < once["corrected"] - 0.01
    assert again["corrected"] < 0.55


@dataclass(frozen=True)
class Sometimes:
    """Refuses draws that hold row 0 more than once, and knows no risk beyond day 50."""

    n: int

    def __call__(self, rows: Any) -> Predictions:
        if (rows == 0).sum() > 1:
            raise StatisticalProblem("row 0 again")
        risk = np.column_stack([np.full(self.n, 0.3), np.full(self.n, np.nan)])
        return Predictions(np.arange(self.n, dtype=float), risk)


def test_failures_are_counted_by_reason_and_left_out() -> None:
    rng = np.random.default_rng(2)
    time, code = np.ceil(rng.exponential(40, 60)), rng.integers(0, 3, 60)
    draws = bootstrap_draws(60, 30, seed=3)
    refused = int(((draws == 0).sum(axis=1) > 1).sum())
    assert 0 < refused < 30
    found = optimism(time, code, [Sometimes(60)], draws, horizons=(20, 60))
    assert found.failures == {"row 0 again": refused}
    assert found.failed == refused
    by = {(row["measure"], row["horizon"]): row for row in found.table.iter_rows(named=True)}
    assert (by["c", None]["n"], by["c", None]["failed"]) == (30 - refused, refused)
    assert by["brier", 20]["corrected"] is not None
    assert by["brier", 60]["corrected"] is None
    assert by["brier", 60]["reason"] == "it cannot be taken of the original rows"


def test_a_model_that_the_data_do_not_have_is_refused() -> None:
    with pytest.raises(StatisticalProblem, match="no event"):
        resample([1.0, 2.0], [0, 0], CoxOnRows(np.ones(2), np.zeros(2, bool), np.ones((2, 1)), ("x",)), [])
    with pytest.raises(StatisticalProblem, match="same measures"):
        validate([])


def test_draws_are_those_of_the_seed_and_stay_in_their_groups() -> None:
    few, many = bootstrap_draws(50, 3, seed=7), bootstrap_draws(50, 9, seed=7)
    assert (few == many[:3]).all()
    assert (few[0] != few[1]).any()
    assert not (few == bootstrap_draws(50, 3, seed=8)).all()
    group = np.arange(50) % 3
    within = bootstrap_draws(50, 20, seed=7, groups=group)
    assert (group[within] == group).all()
    assert within.min() == 0
    assert within.max() == 49
