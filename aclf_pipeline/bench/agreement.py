"""Whether a damaged hospital still tells the truth: each simulated person beside what the house makes of the exports.

Eligibility, its first reason, time zero, the event and its day are held against the truth, and so are baseline values:
a measured one may be half as far again from the true one as the furthest in the same hospital without damage (assay
error and the days between; a few dozen patients do not show the largest). A disagreement is explained when the ledger
has a line on that person in a table the variable is made from: one that changes something, or, in results, stays and
assessments, a flag (a stay without results decides a criterion by their absence); for a laboratory value, one on a
result of the same analyte. HBV-DNA is left out: below the limit of detection its value is not the true one.

What does not belong here: whether a planted defect was met (`detection`), and printing.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from aclf_pipeline.bench.hospital import Judged, judge_hospital
from aclf_pipeline.protocol.study import Study
from aclf_pipeline.science.cohort import assemble
from aclf_pipeline.science.endpoints import time_to_event
from aclf_pipeline.simulate.profiles import CLEAN
from aclf_pipeline.warehouse.graph import absent_models, build

PERSON = "patient_id"
STATUS = ("eligible", "exclusion_reason", "time_zero")
OUTCOME = ("event", "event_on")
MEASURED: Mapping[str, str] = {
    "bilirubin_total": "tbil_umol_l", "bilirubin_direct": "dbil_umol_l", "alt": "alt_u_l", "ast": "ast_u_l",
    "albumin": "alb_g_l", "creatinine": "crea_umol_l", "urea": "urea_mmol_l", "sodium": "na_mmol_l",
    "potassium": "k_mmol_l", "inr": "inr", "pta": "pta_pct", "wbc": "wbc_1e9_l", "neutrophils": "neut_1e9_l",
    "lymphocytes": "lymph_1e9_l", "platelets": "plt_1e9_l", "hemoglobin": "hgb_g_l",
    "height_cm": "height_cm", "weight_kg": "weight_kg",
}  # fmt: skip
"""Baseline variable → the true value the simulator drew."""

OBSERVED: Mapping[str, str] = {
    "he_grade": "he_grade", "ascites": "ascites", "infection": "infection", "gi_bleed": "gi_bleed", "hrs": "hrs",
    "cirrhosis": "cirrhosis", "antiviral": "antiviral", "alss_before": "alss_before", "hbeag_positive": "hbeag_pos",
}  # fmt: skip
"""Baseline variable that is seen or asked, not measured → its true state."""

_FLAGS_TELL = ("labs", "stays", "assessments")
_MARGIN = 1.5

_OUTCOME_TABLES = frozenset({"followups", "deaths", "stays", "procedures", "medications", "diagnoses"})
_STATUS_TABLES = _OUTCOME_TABLES | {"patients", "infusions", "labs", "assessments", "imaging"}

LEDGER = """-- what the ledger says of a person: one row per table, rule, record number and (for results) analyte
    with said as (
        select table_name, rule_id, action, patient_id, _row_id from quality.violations
        union all
        select table_name, reason, 'replaced', null, _row_id from quality.superseded where reason <> 'snapshot'
    ),

    placed as (
        select s.table_name, s.rule_id, s.action, l.loinc,
            coalesce(s.patient_id, l.patient_id, i.patient_id, f.patient_id) as record
        from said as s
        left join staging.labs as l on s.table_name = 'labs' and s._row_id = l._row_id
        left join staging.infusions as i on s.table_name = 'infusions' and s._row_id = i._row_id
        left join staging.followups as f on s.table_name = 'followups' and s._row_id = f._row_id
    )

    select distinct p.table_name, p.rule_id, p.action, p.record, a.analyte
    from placed as p
    left join rules.analyte_loinc as a on p.loinc = a.loinc
    where p.record is not null
"""


@dataclass(frozen=True)
class Told:
    """What the house made of one hospital, one row per true person, and its ledger."""

    persons: pl.DataFrame
    ledger: pl.DataFrame


@dataclass
class Agreement:
    """compared: profile, seed, what, persons, differ, explained. differing: profile, seed, person, what, true, found,
    lines (rules of the ledger that speak of it, comma-joined; empty when none does).
    """

    compared: list[pl.DataFrame] = field(default_factory=list)
    differing: list[pl.DataFrame] = field(default_factory=list)


def run_agreement(
    persons: int, seeds: Sequence[int], profiles: Sequence[str], tick: Callable[[str], None]
) -> Agreement:
    """Simulate and judge each hospital, and compare every person."""
    agreement = Agreement()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="aclf-bench-") as root:
            tick(f"{CLEAN}, seed {seed}")
            clean = judge_hospital(Path(root) / "clean", persons=persons, seed=seed, profile=CLEAN)
            undamaged = told(clean)
            limits = errors_of(undamaged)
            for profile in profiles:
                tick(f"{profile}, seed {seed}")
                if profile == CLEAN:
                    judged, found = clean, undamaged
                else:
                    judged = judge_hospital(Path(root) / "damaged", persons=persons, seed=seed, profile=profile)
                    found = told(judged)
                differing = compare(judged, found, limits)
                counted = _counted(differing, judged.house.protocol.study, found.persons)
                stamp = [pl.lit(profile).alias("profile"), pl.lit(seed).alias("seed")]
                agreement.differing.append(differing.select(*stamp, pl.all()))
                agreement.compared.append(counted.select(*stamp, pl.all()))
    return agreement


def told(judged: Judged) -> Told:
    """Make everything behind the gate of a judged hospital, as a refresh does; one row per true person comes back."""
    house, protocol = judged.house, judged.house.protocol
    with judged.warehouse() as wh:
        for model in (*house.models, *absent_models(house.source)):
            if model.schema != "staging":
                build(wh, model)
        candidates, facts = wh.frame("select * from marts.candidates"), wh.frame("select * from intermediate.facts")
        known = dict(wh.frame("select patient_id, person_id from intermediate.persons").rows())
        ledger = wh.frame(LEDGER)
    made = assemble(candidates, facts, protocol, house.as_of)
    dated = candidates.with_columns(_death=pl.coalesce("death_on", "death_to"))
    timed = time_to_event(dated, death="_death", as_of=house.as_of)
    persons = _truth(judged, known).join(
        made.eligibility.select("candidate_id", "eligible", "exclusion_reason").join(timed, on="candidate_id"),
        on="candidate_id",
        how="left",
        suffix="_found",
    )
    return Told(persons, ledger)


def _truth(judged: Judged, known: Mapping[str, str]) -> pl.DataFrame:
    """The true persons with the record numbers they have, and the candidate their index stay belongs to."""
    truth = pl.read_parquet(judged.truth / "patients.parquet")
    pseudonym = judged.pseudonyms.pseudonym
    records = [[pseudonym("record_number", number) for number in numbers] for numbers in truth["bah"]]
    own = [pseudonym("record_number", number) for number in truth["index_bah"]]
    return truth.with_columns(
        pl.Series("records", records), pl.Series("candidate_id", [known.get(record) for record in own])
    )


def errors_of(undamaged: Told) -> dict[str, float]:
    """Per measured variable how far a value may be off: half more than the largest error without damage."""
    eligible = undamaged.persons.filter(pl.col("eligible") & pl.col("eligible_found"))
    return {
        name: _MARGIN * max((_error(row, name) or 0.0 for row in eligible.iter_rows(named=True)), default=0.0)
        for name in MEASURED
    }


def _error(row: Mapping[str, Any], name: str) -> float | None:
    """How far a measured value is from the true one: as a logarithm of their ratio; None where either is missing."""
    true, found = row[MEASURED[name]], _found(row, name)
    if true is None or found is None:
        return None
    return abs(math.log(found / true)) if found > 0 else math.inf


def _found(row: Mapping[str, Any], name: str) -> Any:
    return row[f"{name}_found"] if f"{name}_found" in row else row[name]


def compare(judged: Judged, found: Told, limits: Mapping[str, float]) -> pl.DataFrame:
    """person, what, true, found, lines: one row per person and variable on which the house and the truth differ.

    A death nobody recorded cannot be found; such persons are compared in everything but the outcome. A measured value
    that is missing is no difference: many are in truth.
    """
    study = judged.house.protocol.study
    rows: list[dict[str, str]] = []
    for row in found.persons.iter_rows(named=True):
        lines = found.ledger.filter(pl.col("record").is_in(row["records"]))
        for what, true, seen, tables, analyte in _differences(row, limits, study, judged):
            of = lines.filter(pl.col("table_name").is_in(list(tables)))
            if analyte is None:
                of = of.filter((pl.col("action") != "flag") | pl.col("table_name").is_in(_FLAGS_TELL))
            else:
                of = of.filter((pl.col("table_name") != "labs") | (pl.col("analyte") == analyte))
            rules = ", ".join(of["rule_id"].unique().sort())
            rows.append({"person": row[PERSON], "what": what, "true": str(true), "found": str(seen), "lines": rules})
    schema = dict.fromkeys(("person", "what", "true", "found", "lines"), pl.String)
    return pl.DataFrame(rows, schema=schema)


Difference = tuple[str, object, object, frozenset[str], str | None]
"""What differs, the true and the found value, the tables it is made from, and for a laboratory value its analyte."""


def _differences(row: Mapping[str, Any], limits: Mapping[str, float], study: Study, judged: Judged) -> list[Difference]:
    told: list[Difference] = [
        (name, row[name], row[f"{name}_found"], _STATUS_TABLES, None)
        for name in STATUS
        if row[name] != _day(row[f"{name}_found"])
    ]
    if not row["eligible"] or not row["eligible_found"]:
        return told
    if row["death_visible"] or row["death_date"] is None:
        told += _outcome(row, judged)
    for name, baseline in study.baseline.items():
        tables = frozenset({baseline.table, "stays", "patients", "infusions"})
        seen = _found(row, name)
        if name in OBSERVED and seen != row[OBSERVED[name]]:
            told.append((name, row[OBSERVED[name]], seen, tables, baseline.analyte))
        if name in MEASURED and (_error(row, name) or 0.0) > limits[name]:
            told.append((name, row[MEASURED[name]], seen, tables, baseline.analyte))
    return told


def _outcome(row: Mapping[str, Any], judged: Judged) -> list[Difference]:
    """The event, and its day within the days between which the records place it."""
    ended = {"lost": "censored", "admin": "censored"}.get(str(row["event"]), str(row["event"]))
    if ended != row["event_found"]:
        return [("event", ended, row["event_found"], _OUTCOME_TABLES, None)]
    as_of = judged.house.as_of
    true = min(row["last_alive"], as_of) if ended == "censored" else row["event_date"]
    last = _day(row["event_on"])
    first = _day(row["death_from"]) if ended == "death" else last
    if true is None or first is None or last is None or not first <= true <= last:
        return [("event_on", true, last, _OUTCOME_TABLES, None)]
    return []


def _day(value: object) -> object:
    """A timestamp as its day; anything else as it is."""
    return value.date() if hasattr(value, "date") else value


def _counted(differing: pl.DataFrame, study: Study, persons: pl.DataFrame) -> pl.DataFrame:
    """what, persons compared, differ, explained."""
    eligible = persons.filter(pl.col("eligible") & pl.col("eligible_found").fill_null(value=False))
    shown = eligible.filter(pl.col("death_visible") | pl.col("death_date").is_null()).height
    compared = dict.fromkeys(STATUS, persons.height) | dict.fromkeys(OUTCOME, shown)
    compared |= dict.fromkeys(
        [name for name in study.baseline if name in MEASURED or name in OBSERVED], eligible.height
    )
    counts = differing.group_by("what").agg(pl.len().alias("differ"), (pl.col("lines") != "").sum().alias("explained"))
    named = pl.DataFrame({"what": list(compared), "persons": list(compared.values())})
    return named.join(counts, on="what", how="left", maintain_order="left").with_columns(
        pl.col("differ", "explained").fill_null(0).cast(pl.Int64)
    )
