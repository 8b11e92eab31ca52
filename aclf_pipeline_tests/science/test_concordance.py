"""Concordance against R, against the count of all pairs, and against what leaving weight off a row does."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.concordance import harrell, harrell_index, of_fit, uno
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.cox_cases import draw_case
from aclf_pipeline_tests.science.published import published, published_answers

quick = settings(deadline=None, max_examples=25, derandomize=True)
KINDS = st.fixed_dictionaries({"entry": st.booleans(), "strata": st.sampled_from([1, 3]), "weights": st.booleans()})


def equals_r(found, expected) -> None:
    assert found.c == pytest.approx(expected["c"], abs=1e-12)
    assert found.se**2 == pytest.approx(expected["var"], abs=1e-12)
    counts = found.concordant, found.discordant, found.tied_risk, found.tied_time
    theirs = [expected["count"][name] for name in ("concordant", "discordant", "tied.x", "tied.y")]
    np.testing.assert_allclose(counts, theirs, rtol=1e-10)


@pytest.mark.parametrize(
    ("key", "measure", "until"),
    [("harrell", harrell, np.inf), ("harrell_1825", harrell, 1825), ("uno", uno, np.inf), ("uno_3000", uno, 3000)],
)
def test_pbc_as_in_r(key, measure, until):
    """R: concordance(Surv(time, tfs) ~ lp, reverse = TRUE, timewt = "n" or "n/G2", ymax = until)."""
    frame = published("pbc_risk")
    found = measure(frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1, frame["lp"].to_numpy(), until=until)
    equals_r(found, published_answers()["concordance"][key])


def test_delayed_entry_as_in_r():
    """R: concordance(Surv(entry, time, tfs) ~ log_bili, reverse = TRUE)."""
    frame = published("pbc_second_visit")
    time, event, risk, entry = (frame[name].to_numpy() for name in ("time", "tfs", "log_bili", "entry"))
    equals_r(harrell(time, event == 1, risk, start=entry), published_answers()["concordance"]["lt_harrell"])


def all_pairs(case, risk, factor=None):
    """Count pairs one by one: concordant, discordant, tied in risk; and events tied in time, each pair once."""
    n = len(risk)
    start, stratum = case.get("start", np.full(n, -np.inf)), case.get("strata", np.zeros(n))
    weight, factor = case.get("weight", np.ones(n)), np.ones(n) if factor is None else factor
    stop, event, counts = case["stop"], case["event"], np.zeros(4)
    for i, j in permutations(range(n), 2):
        if not event[i] or stratum[i] != stratum[j] or not start[j] < stop[i] <= stop[j]:
            continue
        mass = weight[i] * weight[j] * factor[i]
        if event[j] and stop[i] == stop[j]:
            counts[3] += mass / 2
        else:
            counts[0 if risk[i] > risk[j] else 1 if risk[i] < risk[j] else 2] += mass
    return counts


def given_to(measure, case, risk, **more):
    return measure(case["stop"], case["event"], risk, **{k: case[k] for k in more.pop("keys") if k in case}, **more)


KEYS = ("start", "strata", "weight")


@quick
@given(seed=st.integers(0, 1000), kind=KINDS, levels=st.sampled_from([2, 5, 1000]))
def test_every_pair_is_counted_once(seed, kind, levels):
    case = draw_case(seed, n=40, **kind)
    risk = np.random.default_rng(seed).integers(0, levels, 40).astype(float)
    found = given_to(harrell, case, risk, keys=KEYS)
    counts = all_pairs(case, risk)
    ours = [found.concordant, found.discordant, found.tied_risk, found.tied_time]
    np.testing.assert_allclose(ours, counts, atol=1e-9)
    assert found.c == pytest.approx((counts[0] + counts[2] / 2) / counts[:3].sum(), abs=1e-12)


@quick
@given(seed=st.integers(0, 1000), kind=KINDS)
def test_the_variance_sums_what_each_row_does_to_c(seed, kind):
    """The infinitesimal jackknife: Σ (w·∂C/∂w)², the derivative taken by changing a weight a little."""
    case = draw_case(seed, n=30, **kind)
    risk = np.round(np.random.default_rng(seed).normal(size=30), 1)
    weight, changes = case.get("weight", np.ones(30)), []
    for i in range(30):
        c = []
        for h in (1e-4, -1e-4):
            bent = weight.copy()
            bent[i] *= 1 + h
            c.append(given_to(harrell, {**case, "weight": bent}, risk, keys=KEYS).c)
        changes.append((c[0] - c[1]) / 2e-4)
    found = given_to(harrell, case, risk, keys=KEYS)
    assert found.se == pytest.approx(np.sqrt(np.sum(np.square(changes))), rel=1e-6)
    pairs = np.arange(30) // 2
    clustered = given_to(harrell, case, risk, keys=KEYS, cluster=pairs)
    assert clustered.se == pytest.approx(np.sqrt(np.sum(np.bincount(pairs, changes) ** 2)), rel=1e-6)
    assert clustered.c == found.c


def test_uno_weighs_events_by_who_is_still_uncensored():
    """Six people; censored at 2 and 4. G(t−): 1 at day 1, 4/5 at day 3, 4/5·2/3 at day 5."""
    stop, event = np.array([1.0, 2, 3, 4, 5, 6]), np.array([True, False, True, False, True, False])
    risk = np.array([5.0, 1, 2, 6, 3, 1])
    factor = np.array([1, 0, (5 / 4) ** 2, 0, (5 / 4 * 3 / 2) ** 2, 0])
    counts = all_pairs({"stop": stop, "event": event}, risk, factor)
    found = uno(stop, event, risk)
    np.testing.assert_allclose([found.concordant, found.discordant], counts[:2])
    assert uno(stop, event, risk, until=3).concordant == pytest.approx(4 + (5 / 4) ** 2)


@quick
@given(seed=st.integers(0, 1000), kind=KINDS)
def test_only_the_order_of_risks_matters_and_reversing_it_gives_the_complement(seed, kind):
    case = draw_case(seed, n=60, **kind)
    risk = np.random.default_rng(seed).normal(size=60)
    found = given_to(harrell, case, risk, keys=KEYS)
    assert given_to(harrell, case, np.exp(risk), keys=KEYS) == found
    back = given_to(harrell, case, -risk, keys=KEYS)
    assert back.c == pytest.approx(1 - found.c, abs=1e-12)
    assert back.se == pytest.approx(found.se, abs=1e-12)
    rows = np.random.default_rng(seed).permutation(60)
    shuffled = {name: value[rows] for name, value in case.items() if name != "names"}
    assert given_to(harrell, shuffled, risk[rows], keys=KEYS).c == pytest.approx(found.c, abs=1e-12)


def test_risks_that_differ_by_rounding_are_tied():
    stop, event = np.array([1.0, 2.0]), np.array([True, True])
    assert harrell(stop, event, np.array([0.1 + 0.2, 0.3])).tied_risk == 1
    assert harrell(stop, event, np.array([0.3 + 1e-9, 0.3])).concordant == 1


def test_episodes_of_a_person_are_the_person():
    case = draw_case(8, n=80)
    fit = fit_cox(**case)
    whole = of_fit(fit)
    cut = np.floor(case["stop"] / 2) + 0.5
    cut[cut >= case["stop"]] = case["stop"][cut >= case["stop"]] / 2
    episodes = harrell(
        np.concatenate([cut, case["stop"]]),
        np.concatenate([np.zeros(80, dtype=bool), case["event"]]),
        np.tile(fit.linear_predictor, 2),
        start=np.concatenate([np.zeros(80), cut]),
        cluster=np.tile(np.arange(80), 2),
    )
    assert episodes.c == pytest.approx(whole.c, abs=1e-12)
    assert episodes.se == pytest.approx(whole.se, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"risk": [1, np.nan]}, "1 rows lack a time or a risk"),
        ({"event": [False, True]}, "no two rows can be compared"),
        ({"event": [False, False]}, "no two rows can be compared"),
        ({"start": [3, 0]}, "in 1 rows entry is not before the end"),
        ({"weight": [1, 0]}, "1 rows have a weight that is not above 0"),
        ({"risk": [1, 2, 3]}, "differ in length"),
    ],
)
def test_what_cannot_be_compared_is_said_in_words(change, message):
    arguments = {"stop": [1, 2], "event": [True, True], "risk": [1, 2], **change}
    with pytest.raises(StatisticalProblem, match=message):
        harrell(**{name: np.array(value) for name, value in arguments.items()})


@quick
@given(seed=st.integers(0, 10_000), n=st.integers(2, 60), whole=st.booleans())
def test_the_index_alone_is_that_of_the_whole(seed, n, whole):
    rng = np.random.default_rng(seed)
    stop, event, risk = (
        np.ceil(rng.exponential(10, n)),
        rng.random(n) < 0.6,
        np.round(rng.normal(size=n), 0 if whole else 9),
    )
    rows = rng.integers(0, n, n)
    for where in (np.arange(n), rows):
        part = stop[where], event[where], risk[where]
        try:
            expected = harrell(*part).c
        except StatisticalProblem:
            with pytest.raises(StatisticalProblem, match="no two rows can be compared"):
                harrell_index(*part)
        else:
            assert harrell_index(*part) == pytest.approx(expected, abs=1e-12)
