"""Rules of survival data: each finds what it is for, names the member, and is silent on a sound cohort."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import polars as pl
import pytest

from aclf_pipeline.protocol.study import Baseline, Criterion, Endpoint, Study, TimeZero
from aclf_pipeline.quality.survival_rules import RULES, Judged, findings, of_rule
from aclf_pipeline.science.intervals import intervals

AS_OF, ZERO = date(2014, 12, 31), date(2014, 3, 12)
WORDS = {"says": "…", "because": "…"}
MEMBER = {
    "candidate_id": "R1", "person_id": "R1", "time_zero": ZERO, "event": "death", "event_on": date(2014, 4, 1),
    "event_days": 20, "endpoint_problem": None, "death_source": "follow_up", "death_on": date(2014, 4, 1),
    "transplant_on": None, "transplant_from": None, "transplant_to": None,
}  # fmt: skip
TYPES = {
    **dict.fromkeys(MEMBER, pl.String), "event_days": pl.Int64,
    **dict.fromkeys([name for name in MEMBER if name.endswith(("_on", "_from", "_to", "zero"))], pl.Date),
}  # fmt: skip


def study(share: float | None = 0.1) -> Study:
    return Study(
        id="s", title="…", source="his", as_of=AS_OF, time_zero="…", parameters={}, covariates={},
        baseline={"inr": Baseline(says="…", table="labs", analyte="inr", days_before=3, pick="nearest")},
        eligibility=(Criterion(id="aclf", keep="aclf", **WORDS),),
        endpoints={"d28": Endpoint(says="…", event="death", horizon_days=28, primary=True)},
        time_zeros={"second": TimeZero(at="time_zero", primary=True, **WORDS)}, calling_day_share=share,
    )  # fmt: skip


def judged(
    *members: dict[str, Any], measured: date = ZERO, infused: date = ZERO, called: date = date(2014, 9, 1)
) -> Judged:
    cohort = pl.DataFrame([{**MEMBER, **member} for member in members or ({},)], schema=TYPES)
    infusions = pl.DataFrame({"person_id": ["R1"], "infused_on": [infused]})
    labs = pl.DataFrame(
        schema={"person_id": pl.String, "variable": pl.String, "measured_on": pl.Date, "value": pl.Float64}
    )
    return Judged(
        study=study(),
        as_of=AS_OF,
        cohort=cohort,
        zeros=cohort.select(
            "candidate_id", "event", time_zero=pl.lit("second"), exit_days="event_days", entry_days=pl.lit(0, pl.Int64)
        ),
        intervals=intervals(cohort, infusions, labs, []),
        infusions=infusions,
        calls=pl.DataFrame({"person_id": ["R1"], "called_on": [called]}),
        measured=pl.DataFrame(
            {"candidate_id": ["R1"], "variable": ["inr"], "observed_at": [datetime.combine(measured, time(23))]}
        ),
    )  # fmt: skip


def test_a_sound_cohort_breaks_no_rule() -> None:
    assert findings(judged()).is_empty()


@pytest.mark.parametrize(
    ("rule", "case", "says"),
    [
        ("time_not_negative", judged({"event_days": -3}), "the time is not the days to the event: -3"),
        ("time_not_zero", judged({"event_days": 0, "event_on": ZERO}), "death on the day of time zero: no person-time"),
        (
            "time_not_zero",
            judged(
                {"event": None, "event_on": None, "event_days": None, "endpoint_problem": "death lies 2 days before"}
            ),
            "no time: death lies 2 days before",
        ),
        ("baseline_by_time_zero", judged(measured=date(2014, 3, 13)), "inr was measured 1 days after time zero"),
        (
            "no_infusion_after_event",
            judged(infused=date(2014, 4, 2)),
            "infusion on 2014-04-02, after the death on 2014-04-01",
        ),
        (
            "transplant_after_entry",
            judged({"transplant_on": date(2014, 3, 2)}),
            "transplanted 10 days before time zero",
        ),
        (
            "deaths_off_calling_days",
            judged(called=date(2014, 4, 1)),
            "the death on 2014-04-01 is dated on the day of a call; so are 1 of 1 deaths told by telephone",
        ),
        (
            "nothing_after_cut_off",
            judged({"event_on": date(2015, 1, 2), "event_days": 296}),
            "death on 2015-01-02, after 2014-12-31",
        ),
        (
            "person_time",
            replace(judged(), intervals=judged({"event_days": 19}).intervals),
            "the days of the intervals are not the cohort's",
        ),
        (
            "primary_time_zero",
            replace(judged(), zeros=judged({"event_days": 19}).zeros),
            "second is not the cohort's own time",
        ),
    ],
)
def test_each_rule_finds_what_it_is_for_and_names_the_member(rule: str, case: Judged, says: str) -> None:
    found = of_rule(findings(case), rule)
    assert found.select("candidate_id", "says").rows() == [("R1", says)]
    assert found["blocking"].to_list() == [next(one.blocking for one in RULES if one.id == rule)]


def test_a_few_deaths_on_calling_days_are_chance_and_a_study_that_tolerates_all_asks_nothing() -> None:
    many = judged(*({"candidate_id": f"R{i}", "person_id": f"R{i}"} for i in range(1, 12)), called=date(2014, 4, 1))
    assert of_rule(findings(many), "deaths_off_calling_days").is_empty()
    one = replace(judged(called=date(2014, 4, 1)), study=study(share=None))
    assert findings(one).is_empty()


def test_a_study_without_infusions_is_not_asked_for_them() -> None:
    assert findings(replace(judged(), infusions=None)).is_empty()
