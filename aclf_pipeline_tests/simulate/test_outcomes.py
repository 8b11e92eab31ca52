"""The hazards meet the targets of the specification; the estimator and the inversion are right by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter

from aclf_pipeline.simulate import outcomes
from aclf_pipeline.simulate.covariates import meld_of, pta_from_inr
from aclf_pipeline.simulate.world import World, build_world


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(2500, 1)


def eligible(world: World) -> list[int]:
    return [person.idx for person in world.persons if not person.reasons]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calibration(seed: int) -> None:
    world = build_world(2500, seed)
    chosen = eligible(world)
    assert len(chosen) == 446
    time = world.latent["event_time"][chosen]
    event = np.array([world.persons[i].event for i in chosen])
    fitter = KaplanMeierFitter().fit(time, event == "death")
    assert 1 - float(fitter.predict(168)) == pytest.approx(0.268, abs=0.02)
    assert np.mean((event == "transplant") & (time <= 168)) == pytest.approx(0.06, abs=0.01)
    assert np.mean((event == "lost") & (time <= 336)) == pytest.approx(0.12, abs=0.01)
    assert sum(person.group == "one_infusion" for person in world.persons) == 38
    assert 0.001 < world.hazards.before_second < 0.006


def test_a_correct_model_recovers_the_hazard_ratios() -> None:
    frames = []
    for seed in range(1, 5):
        world = build_world(2500, seed)
        chosen = eligible(world)
        eta = world.latent["eta_death"][chosen]
        frames.append(
            (
                np.minimum(world.latent["event_time"][chosen], 90),
                eta,
                [world.persons[i].event == "death" for i in chosen],
            )
        )
    table = pd.concat([pd.DataFrame({"t": t, "eta": eta, "died": np.array(d) & (t < 90)}) for t, eta, d in frames])
    fitted = CoxPHFitter().fit(table, "t", "died")
    assert float(fitted.params_["eta"]) == pytest.approx(1.0, abs=3 * float(fitted.standard_errors_["eta"]))


def test_inversion_of_a_piecewise_hazard() -> None:
    rates, breaks = np.array([0.1, 0.2]), (0, 10)
    found = outcomes.invert(np.array([0.5, 1.0, 1.4]), rates, breaks, np.ones((3, 2)))
    assert found == pytest.approx([5.0, 10.0, 12.0])
    faster = outcomes.invert(np.array([0.5]), rates, breaks, np.array([[2.0, 1.0]]))
    assert faster == pytest.approx([2.5])


def test_effect_of_encephalopathy_changes_at_day_90() -> None:
    x = {"age_years": np.array([43.0]), "he_grade": np.array([2])}
    terms = tuple(t for t in outcomes.DEATH_TERMS if t["name"] in ("age_years", "he_grade"))
    assert outcomes.linear_predictor(terms, x) == pytest.approx([1.635])
    assert outcomes.linear_predictor(terms, x, late=True) == pytest.approx([0.80])
    multiplier = outcomes.death_multiplier(np.array([1.0]), np.array([0.0]))
    assert multiplier[0] == pytest.approx([np.e, np.e, np.e, np.e, 1, 1, 1])


def test_published_values() -> None:
    one = [np.array([value]) for value in (4.2 * 17.10, 1.9 * 88.40, 1.2)]
    assert meld_of(*one)[0] == pytest.approx(20.0391626, abs=1e-4)
    assert pta_from_inr(np.array([1.0, 1.5, 2.0, 2.5])) == pytest.approx([100, 39.9, 24.7, 18.3], abs=0.3)


def test_marginals_of_the_eligible(world: World) -> None:
    chosen = eligible(world)

    def median(name: str) -> float:
        return float(np.median(world.x[name][chosen]))

    assert median("tbil_umol_l") == pytest.approx(380, rel=0.10)
    assert median("inr") == pytest.approx(2.0, rel=0.06)
    assert median("crea_umol_l") == pytest.approx(75, rel=0.06)
    assert np.mean(world.x["meld"][chosen]) == pytest.approx(26, abs=2)
    assert np.mean(world.x["cirrhosis"][chosen]) == pytest.approx(0.55, abs=0.08)
    assert np.mean(world.x["he_grade"][chosen] > 0) == pytest.approx(0.20, abs=0.06)


def test_stays_of_a_person_never_overlap(world: World) -> None:
    for own in world.stays_of().values():
        assert all(b.first - a.last >= 2 for a, b in itertools.pairwise(own))


@pytest.mark.parametrize("persons", [40, 41, 75])
def test_small_populations_hold_every_step(persons: int) -> None:
    world = build_world(persons, 9)
    groups = {person.group for person in world.persons}
    assert {"no_infusion", "not_aclf", "one_infusion", "stay_under_1_day", "eligible"} <= groups
    assert all(np.isfinite(world.hazards.death))
