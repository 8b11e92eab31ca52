"""The bench of survival engines gives every engine the same rows, compares what they say, and hides none."""

from __future__ import annotations

import json
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from aclf_pipeline.bench import survival_run
from aclf_pipeline.bench.gate_run import Limits
from aclf_pipeline.bench.survival_data import draw, read, write
from aclf_pipeline.bench.survival_engines import PYTHON
from aclf_pipeline.bench.survival_plan import plan
from aclf_pipeline.bench.survival_run import ENGINES, Measured, absent, as_json, bench_survival, engines_of
from aclf_pipeline.bench.survival_table import legend, table, verdicts
from aclf_pipeline.errors import UserError

MODULES = {"scikit-survival": "sksurv", "statsmodels": "statsmodels"}


def test_rows_are_the_same_for_the_same_seed_and_come_back_as_written(tmp_path: Path) -> None:
    rows, again, other = draw(300, 6, 4, seed=1), draw(300, 6, 4, seed=1), draw(300, 6, 4, seed=2)
    write(tmp_path, rows)
    back = read(tmp_path)
    for name in ("days", "died", "design", "draws"):
        assert np.array_equal(getattr(rows, name), getattr(again, name))
        assert np.array_equal(getattr(rows, name), getattr(back, name))
    assert not np.array_equal(rows.days, other.days)
    assert (rows.days % 1 == 0).all()
    assert len(np.unique(rows.days)) < 300, "there are ties"
    assert 0.3 < rows.died.mean() < 0.7


@pytest.mark.parametrize("engine", PYTHON)
def test_every_engine_says_what_ours_says(engine: str) -> None:
    if find_spec(MODULES.get(engine, "numpy")) is None:
        pytest.skip(f"{engine} is not installed; it comes with the optional dependencies 'bench'")
    rows = draw(200, 4, 3, seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a peer deprecates is not ours
        one, many = (job() for job in PYTHON[engine](rows))
    ours = PYTHON["ours"](rows)[0]()
    np.testing.assert_allclose(one, ours, atol=1e-4)
    for coef, rows_drawn in zip(many, rows.draws, strict=True):
        drawn = type(rows)(rows.days[rows_drawn], rows.died[rows_drawn], rows.design[rows_drawn], rows.draws)
        np.testing.assert_allclose(coef, PYTHON["ours"](drawn)[0](), atol=1e-3)


def test_engines_run_in_processes_of_their_own_and_r_agrees() -> None:
    runs = bench_survival([200], ["ours", "R"], repeat=1, bootstrap=None, plan_workers=None)
    assert [(run.task, run.engine) for run in runs] == [("one fit, n = 200", "ours"), ("one fit, n = 200", "R")]
    check(runs)


@pytest.mark.slow
def test_every_engine_runs_at_every_task() -> None:
    runs = bench_survival([200], list(ENGINES), repeat=2, bootstrap=(200, 5, 3), plan_workers=None)
    assert [run.engine for run in runs] == [*ENGINES, *ENGINES]
    check(runs)


def check(runs: list[Measured]) -> None:
    """Every engine that is here has a figure, and says what ours says."""
    for run in runs:
        if run.state == "not installed":
            assert absent(run.engine) == run.note
            continue
        assert run.state == "ok", run.note
        assert run.seconds is not None
        assert 0 < run.seconds < 20
        if run.engine != "ours":
            assert run.difference is not None
            assert run.difference < 1e-4
        assert (run.engine in ("R", "R core")) == ("version" in run.told)
    assert len(json.loads(as_json(runs, 1, Limits()))["runs"]) == len(runs)


def test_an_engine_that_takes_too_much_is_stopped_and_an_absent_one_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(seconds=0.01)
    (run,) = bench_survival([100], ["ours"], bootstrap=None, plan_workers=None, limits=limits)
    assert (run.state, run.note) == ("stopped", "stopped after 0.01 s")
    monkeypatch.setattr(survival_run, "version_of", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert absent("statsmodels") == "pip install 'aclf_pipeline[bench]' (statsmodels)"
    assert absent("R") == "there is no Rscript on the path"
    assert absent("ours") is None
    runs = bench_survival([100], ["ours", "R", "statsmodels"], bootstrap=None, plan_workers=None, limits=limits)
    assert [run.state for run in runs] == ["stopped", "not installed", "not installed"]
    assert "there is no Rscript" in shown(runs)


def test_the_whole_plan_is_imputed_pooled_and_validated() -> None:
    found = plan(1, 1, imputations=2, resamples=3)
    assert set(found["steps"]) == {"impute", "fit and pool", "validate"}
    c = found["validation"][0]
    assert (c["measure"], c["n"], found["failed"]) == ("c", 6, 0)
    assert 0.5 < c["corrected"] < 1
    assert len(found["fmi"]) == 10


def measured(engine: str, task: str, seconds: float, difference: float | None = None) -> Measured:
    return Measured(engine, task, "ok", "", seconds, (seconds,), difference, 1_000_000_000)


def shown(runs: list[Measured]) -> str:
    console = Console(width=160, record=True)
    console.print(table(runs))
    console.print(legend(runs, Limits()))
    return console.export_text()


def test_what_follows_is_said_and_disagreement_is_binding() -> None:
    runs = [
        measured("ours", "1,000 fits, n = 446", 1.0),
        measured("lifelines", "1,000 fits, n = 446", 29.0, 1e-4),
        measured("R", "1,000 fits, n = 446", 3.0, 1e-9),
        measured("ours", "one fit, n = 446", 2.0),
        measured("R", "one fit, n = 446", 1.0, 0.1),
    ]
    told = list(verdicts(runs))
    assert [(binding, holds) for binding, holds, _ in told] == [
        (True, True), (False, False), (False, True), (True, False), (False, False),
    ]  # fmt: skip
    assert "the furthest from ours is lifelines, by 1e-04" in told[0][2]
    assert "29.0 times as fast as lifelines; promised are 30" in told[1][2]
    text = shown(runs)
    assert "29.0" in text
    assert all(ENGINES[run.engine][0] in text for run in runs)


def test_engines_are_named_rightly() -> None:
    assert engines_of(None) == list(ENGINES)
    assert engines_of("R,lifelines") == ["ours", "R", "lifelines"]
    with pytest.raises(UserError, match="Did you mean 'lifelines'"):
        engines_of("lifeline")
