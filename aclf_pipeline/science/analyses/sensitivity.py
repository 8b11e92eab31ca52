"""The primary model under other choices: one row per choice and covariate, all with the same columns.

Choices: missing values, time zeros, era, transplant three ways, lost to follow-up at best and at worst, discharge
against advice three ways, values that may be a blood product's, and each rule of data quality that touched a value.

What does not belong here: which choice is right, and estimators (cox, fine_gray, pooling).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from aclf_pipeline.protocol.plan import Cox, Imputations, Sensitivity
from aclf_pipeline.protocol.study import Endpoint
from aclf_pipeline.science.analyses.competing import SUBDISTRIBUTION, subdistribution_table
from aclf_pipeline.science.analyses.given import (
    DURATION,
    EVENT,
    HAPPENED,
    KEY,
    AnalysisResult,
    Given,
    Row,
    cause_specific,
    codes,
    complete,
    counted,
    keyed,
)
from aclf_pipeline.science.analyses.models import METHOD, columns_of, fit_model
from aclf_pipeline.science.analyses.time_zero import ENTRY, at_landmark, from_time_zero
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.endpoints import CENSORED
from aclf_pipeline.science.fine_gray import fit_fine_gray
from aclf_pipeline.science.multiplicity import e_value
from aclf_pipeline.science.problems import StatisticalProblem

PRIMARY = "primary"
COLUMNS = ("term", "hr", "lower", "upper", "p", "n", "events")
SCHEMA = {"choice": pl.String, "says": pl.String, "term": pl.String, "hr": pl.Float64, "lower": pl.Float64,
          "upper": pl.Float64, "p": pl.Float64, "n": pl.Int64, "events": pl.Int64, "sign_change": pl.Boolean,
          "reason": pl.String}  # fmt: skip
Choice = tuple[str, str, Callable[[], pl.DataFrame]]


def sensitivity(spec: Sensitivity, given: Given) -> AnalysisResult:
    """Fit the model under every choice the data allow.

    Table: choice, says, term, hr, lower, upper, p, n, events, sign_change (the estimate lies on the other side of 1
    than in the primary row), reason (why a choice has no estimate; then term is null).
    """
    model, endpoint = given.model(spec), given.endpoint(spec)
    primary = fit_model(model, given).result.coefficients.select(COLUMNS)
    shown = [term for term in primary["term"] if not spec.exposures or _variable(term) in spec.exposures]
    wanted = primary.filter(pl.col("term").is_in(shown))
    parts = [_rows(PRIMARY, f"As planned: {model.says}", wanted, wanted)]
    for name, says, fit in _choices(spec, model, endpoint, given):
        try:
            found = fit().select(COLUMNS).filter(pl.col("term").is_in(shown))
        except StatisticalProblem as problem:
            parts.append(pl.DataFrame([{"choice": name, "says": says, "reason": str(problem)}], schema=SCHEMA))
            continue
        parts.append(_rows(name, says, found, wanted))
    table = pl.concat(parts)
    results: list[Row] = [
        {"key": f"hr_{row['choice']}:{row['term']}", "estimate": row["hr"], "lower": row["lower"],
         "upper": row["upper"], "p": row["p"], "n": row["n"], "events": row["events"],
         "method": SUBDISTRIBUTION if row["choice"] == "transplant_competing" else METHOD}
        for row in table.drop_nulls("term").iter_rows(named=True)
    ]  # fmt: skip
    results += [_strength(row) for row in wanted.iter_rows(named=True)]
    changed = table.filter("sign_change")
    said = [
        f"On the other side of 1 than planned: {row['term']} under '{row['says']}'."
        for row in changed.iter_rows(named=True)
    ] or ["No estimate lies on the other side of 1 than planned."]
    return AnalysisResult(table, keyed(given, spec, results), {}, (*cause_specific(endpoint), *said))


def _variable(term: str) -> str:
    """The covariate of a term: 'antiviral[on]' is of antiviral."""
    return term.partition("[")[0]


def _rows(name: str, says: str, found: pl.DataFrame, primary: pl.DataFrame) -> pl.DataFrame:
    """Rows of one choice, each marked where it lies on the other side of 1 than the primary estimate."""
    side = primary.select("term", _primary="hr")
    return found.join(side, on="term", how="left", maintain_order="left").select(
        pl.lit(name).alias("choice"), pl.lit(says).alias("says"), *COLUMNS,
        ((pl.col("hr") - 1) * (pl.col("_primary") - 1) < 0).fill_null(False).alias("sign_change"),
        pl.lit(None, pl.String).alias("reason"),
    )  # fmt: skip


def _strength(row: Row) -> Row:
    """The E-value of a hazard ratio: how strong an unmeasured confounder would have to be."""
    hr, lower, upper = (float(str(row[name])) for name in ("hr", "lower", "upper"))
    value = e_value(hr, lower, upper, measure="hazard ratio")
    return {"key": f"e_value:{row['term']}", "estimate": value.estimate, "lower": value.limit, "n": row["n"],
            "events": row["events"], "method": "E-value; lower: of the limit (VanderWeele & Ding 2017)"}  # fmt: skip


def _choices(spec: Sensitivity, model: Cox, endpoint: Endpoint, given: Given) -> Iterator[Choice]:
    """Every choice: its name, what it says, and how it is fitted."""
    yield from _missing_values(model, given)
    yield from _time_zeros(model, endpoint, given)
    yield from _eras(spec, model, given)
    yield from _transplants(model, endpoint, given)
    yield from _ends(model, endpoint, given)
    yield from _values(model, given)


def _fit(rows: pl.DataFrame, model: Cox, *, entry: str | None = None) -> pl.DataFrame:
    """The model's coefficients on other rows, which have event_days and happened."""
    kept = complete(rows, (*model.covariates, *model.strata))
    return cox(kept, DURATION, HAPPENED, model.covariates, strata=model.strata or None, entry=entry).coefficients


def _missing_values(model: Cox, given: Given) -> Iterator[Choice]:
    """The pooled model, if the plan imputes this one."""
    for stanza in given.plan:
        if isinstance(stanza, Imputations) and stanza.of == model.id:
            from aclf_pipeline.science.analyses.resampling import pooled_model

            yield "imputed", f"Missing values imputed {stanza.sets} times", lambda s=stanza: pooled_model(s, given)[0]  # type: ignore[misc]


def _time_zeros(model: Cox, endpoint: Endpoint, given: Given) -> Iterator[Choice]:
    """Delayed entry from each earlier time zero, and landmarks; covariates as measured before entry."""
    for name, zero in given.study.time_zeros.items():
        if zero.primary or "time_zeros" not in given.tables:
            continue
        if name.startswith("landmark"):
            yield name, zero.says, lambda n=name: _fit(counted(at_landmark(given, n, _used(model)), endpoint), model)  # type: ignore[misc]
        elif zero.enters is not None:
            yield name, f"{zero.says}; delayed entry", lambda n=name: _delayed(n, model, endpoint, given)  # type: ignore[misc]


def _used(model: Cox) -> tuple[str, ...]:
    return (*model.covariates, *model.strata)


def _delayed(name: str, model: Cox, endpoint: Endpoint, given: Given) -> pl.DataFrame:
    """Members of the cohort counted from an earlier day, at risk from their entry."""
    rows, _ = from_time_zero(given, name)
    joined = rows.join(given.cohort.select(KEY, *dict.fromkeys(_used(model))), on=KEY, how="inner")
    at_risk = counted(joined, endpoint).filter(pl.col(ENTRY) < pl.col(DURATION))
    return _fit(at_risk, model, entry=ENTRY)


def _eras(spec: Sensitivity, model: Cox, given: Given) -> Iterator[Choice]:
    """Patients of the later years only, and a baseline hazard for each calendar year."""
    frame = given.counted(model)
    if spec.era_from is not None and "calendar_year" in frame.columns:
        later = frame.filter(pl.col("calendar_year") >= spec.era_from)
        yield "later_era", f"Time zero in {spec.era_from} or later", lambda: _fit(later, model)
        by_year = model.model_copy(update={"strata": (*model.strata, "calendar_year")})
        yield "stratified_by_year", "A baseline hazard for each calendar year", lambda: _fit(frame, by_year)


def _transplants(model: Cox, endpoint: Endpoint, given: Given) -> Iterator[Choice]:
    """Transplant as an event, as a competing event, and as if it had not ended the observation."""
    if endpoint.event != "death" or "transplant" not in endpoint.competing:
        return
    frame = given.counted(model)
    either = frame.with_columns((pl.col(EVENT) != CENSORED).alias(HAPPENED))
    yield "transplant_event", "Transplant counts as the event", lambda: _fit(either, model)
    yield (
        "transplant_competing",
        "Transplant competes (subdistribution hazard)",
        lambda: _subdistribution(frame, model, endpoint),
    )
    if {"death_on", "last_alive_on", "time_zero"} <= set(frame.columns):
        through = counted(_through_transplant(given.cohort), endpoint)
        yield "transplant_ignored", "Followed beyond transplant to death", lambda: _fit(through, model)


def _subdistribution(frame: pl.DataFrame, model: Cox, endpoint: Endpoint) -> pl.DataFrame:
    rows = complete(frame, model.covariates)
    names, design, _ = columns_of(rows, model.covariates)
    return subdistribution_table(fit_fine_gray(*codes(rows, endpoint), design, names))


def _through_transplant(cohort: pl.DataFrame) -> pl.DataFrame:
    """Death, or the last day known alive, of those whose observation ended at a transplant."""
    transplanted = pl.col(EVENT) == "transplant"
    end = pl.coalesce("death_on", pl.max_horizontal("last_alive_on", "event_on")).cast(pl.Date)
    return cohort.with_columns(
        pl.when(transplanted).then(end).otherwise("event_on").alias("event_on"),
        pl.when(transplanted & pl.col("death_on").is_not_null()).then(pl.lit("death"))
        .when(transplanted).then(pl.lit(CENSORED)).otherwise(EVENT).alias(EVENT),
    ).with_columns(
        (pl.col("event_on") - pl.col("time_zero").cast(pl.Date)).dt.total_days().alias(DURATION)
    )  # fmt: skip


def _ends(model: Cox, endpoint: Endpoint, given: Given) -> Iterator[Choice]:
    """Lost to follow-up at best and at worst; discharge against advice as death, as survival, and left out."""
    frame = given.counted(model)
    if "end_state" not in frame.columns or endpoint.horizon_days is None:
        return
    days = endpoint.horizon_days
    for state, said in (("lost_to_follow_up", "Lost to follow-up"), ("against_advice", "Left against advice")):
        those = (pl.col("end_state") == state) & ~pl.col(HAPPENED) & (pl.col(DURATION) < days)
        if frame.filter(those).is_empty():
            continue
        died = frame.with_columns((pl.col(HAPPENED) | those).alias(HAPPENED))
        lived = frame.with_columns(pl.when(those).then(days).otherwise(DURATION).alias(DURATION))
        yield f"{state}_died", f"{said}: died that day", lambda f=died: _fit(f, model)  # type: ignore[misc]
        yield f"{state}_lived", f"{said}: lived to day {days}", lambda f=lived: _fit(f, model)  # type: ignore[misc]
        if state == "against_advice":
            yield f"{state}_left_out", f"{said}: left out", lambda t=those: _fit(frame.filter(~t), model)  # type: ignore[misc]


def _values(model: Cox, given: Given) -> Iterator[Choice]:
    """Without values that may be a blood product's, and without values each rule of data quality touched."""
    frame = given.counted(model)
    if "alss_before" in frame.columns:
        own = frame.filter(~pl.col("alss_before").fill_null(False))
        yield (
            "without_product_values",
            "Without patients whose values may be those of a blood product (artificial liver before)",
            lambda: _fit(own, model),
        )
    if "cohort_provenance" not in given.tables:
        return
    touched = (
        given.tables["cohort_provenance"].filter(pl.col("variable").is_in([*_used(model), EVENT]))
        .select(KEY, "rule_ids").explode("rule_ids").drop_nulls().unique().sort("rule_ids", KEY)
    )  # fmt: skip
    for (rule,), rows in touched.group_by("rule_ids", maintain_order=True):
        rest = frame.join(rows, on=KEY, how="anti")
        says = f"Without the {rows.height} patients of whom rule {rule} touched a value"
        yield f"without_{rule}", says, lambda f=rest: _fit(f, model)  # type: ignore[misc]
