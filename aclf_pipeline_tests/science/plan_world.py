"""A cohort drawn for tests of the plan: a known hazard, covariates at time zero, and columns known only later."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from aclf_pipeline.protocol import Study, load_protocol
from aclf_pipeline.protocol.plan import Analysis, stanza
from aclf_pipeline.science.analyses import Given, with_covariates

PAGES = Path(__file__).parents[2] / "aclf_pipeline" / "protocol"
ZERO = date(2015, 1, 1)
MODEL = {
    "id": "model", "kind": "cox", "says": "Predictors of death", "because": "Stated before.", "endpoint": "death_168d",
    "covariates": ["age_years", "inr", "sodium", "cirrhosis"], "anticipated_r2": 0.3, "remedy": "split",
    "split_at": [28, 84],
}  # fmt: skip


@cache
def study() -> Study:
    return load_protocol(PAGES, "nct07198854").study


def said(**words: object) -> Analysis:
    return stanza({"id": "it", "says": "Something", "because": "Stated before.", **words})


def model(**words: object) -> Analysis:
    return stanza(MODEL | words)


@cache
def cohort(n: int = 400, seed: int = 1, transplants: float = 0.1, hazard: float = 0.004) -> pl.DataFrame:
    """n patients; log hazard ratios 0.03 per year, 0.8 per INR, −0.03 per sodium, 0.4 for cirrhosis; whole days."""
    rng = np.random.default_rng(seed)
    age, inr, sodium = rng.normal(45, 10, n), rng.normal(2, 0.5, n), rng.normal(136, 4, n)
    cirrhosis, he = rng.random(n) < 0.5, rng.integers(0, 3, n)
    linear = 0.03 * (age - 45) + 0.8 * (inr - 2) - 0.03 * (sodium - 136) + 0.4 * cirrhosis
    death = rng.exponential(1 / (hazard * np.exp(linear)))
    transplant = rng.exponential(1 / (hazard * transplants), n) if transplants else np.full(n, np.inf)
    end = rng.uniform(200, 500, n)
    first = np.minimum.reduce([death, transplant, end])
    event = np.where(first == death, "death", np.where(first == transplant, "transplant", "censored"))
    days = np.ceil(first).astype(int)
    return pl.DataFrame(
        {
            "candidate_id": [f"c{i:04d}" for i in range(n)], "age_years": age, "inr": inr, "sodium": sodium,
            "cirrhosis": cirrhosis, "he_grade": he, "sex": np.where(rng.random(n) < 0.8, "male", "female"),
            "antiviral": rng.choice(["naive", "on", "withdrawn"], n), "ascites": rng.integers(0, 3, n),
            "alss_before": rng.random(n) < 0.3, "meld": 10 * np.log(np.maximum(inr, 0.5)) + 20,
            "calendar_year": rng.integers(2011, 2019, n),
            "infusions_in_course": 2 + (days // 30), "event": event, "event_days": days,
            "event_on": [ZERO + timedelta(days=int(day)) for day in days], "time_zero": [ZERO] * n,
            "end_state": np.where(event == "censored", "lost_to_follow_up", event),
            "death_on": [ZERO + timedelta(days=int(d)) if d < 500 else None for d in np.minimum(death, 1e6)],
            "last_alive_on": [ZERO + timedelta(days=int(day)) for day in days],
        }
    )  # fmt: skip


def given(*plan: Analysis, frame: pl.DataFrame | None = None, tables: dict[str, pl.DataFrame] | None = None) -> Given:
    """The cohort with the covariates of the study that it has columns for."""
    base = cohort() if frame is None else frame
    known = {name: one for name, one in study().covariates.items()
             if one.holds is None or set(pl.sql_expr(one.holds).meta.root_names()) <= set(base.columns)}  # fmt: skip
    page = study().model_copy(update={"covariates": known})
    return Given(with_covariates(base, page), page, plan, tables or {})
