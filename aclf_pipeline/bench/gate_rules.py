"""The rules of the gate's bench: fifteen of different kinds, ten as conditions of a page and five as audits.

They are written as the product's own are: a condition is a flat boolean over promised columns, an audit a query that
returns `_row_id` and `observed`. The same questions in the words of each peer stand with the peers.

What does not belong here: clinical rules (protocol/rules.yaml); these only cost what clinical rules cost.
"""

from __future__ import annotations

from datetime import date

from aclf_pipeline.bench.gate_data import ANALYTES
from aclf_pipeline.protocol import Protocol, Rule
from aclf_pipeline.protocol.study import Criterion, Endpoint, Study

UNITS = tuple(sorted(set(ANALYTES.get_column("unit"))))
SPECIMENS = ("serum", "plasma", "whole_blood", "arterial_blood")
OPERATORS = ("<", "<=", ">", ">=")
CODE, NUMBER = "^[A-Z]{1,6}[0-9]{0,2}$", "^[<>]?=?[0-9]+([.][0-9]+)?$"
OLDEST_YEARS = 120
FIRST, AFTER_LAST = "1910-01-01", "2027-01-01"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


HOLDS: dict[str, str] = {
    "not_null": "loinc is not null",
    "number_as_text": f"regexp_matches(value_text, '{NUMBER}')",
    "unit_listed": f"unit in ({_listed(UNITS)})",
    "code_pattern": f"regexp_matches(source_code, '{CODE}')",
    "age_range": f"age_years_stated between 0 and {OLDEST_YEARS}",
    "times_in_order": "reported_at >= collected_at",
    "columns_equal": "request_id = specimen_id",
    "number_if_censored": f"operator not in ({_listed(OPERATORS)}) or value is not null",
    "date_bounds": f"collected_at >= timestamp '{FIRST} 00:00:00' and collected_at < timestamp '{AFTER_LAST} 00:00:00'",
    "specimen_known": f"specimen in ({_listed(SPECIMENS)})",
}
"""What one row says of itself, as a page says it; null counts as kept."""

AUDITS: dict[str, str] = {
    "within_limits": """-- numbers outside the limits of their analyte: one row per violating result
        select l._row_id, concat(l.value, ', limits ', m.low, ' to ', m.high) as observed
        from staging.labs as l
        join rules.limits as m on m.loinc = l.loinc
        where l.value < m.low or l.value > m.high""",
    "key_unique": """-- an item that stands twice in a tube: one row per such result
        with keys as (
            select hash(specimen_id, loinc) as key_hash from staging.labs
            where specimen_id is not null and loinc is not null
        ),

        neighbours as (
            select key_hash, lag(key_hash) over (order by key_hash) as before from keys
        ),

        repeated as (
            select distinct key_hash from neighbours where key_hash = before
        ),

        suspects as (
            select _row_id, specimen_id, loinc from staging.labs
            where specimen_id is not null and loinc is not null
            and hash(specimen_id, loinc) in (select r.key_hash from repeated as r)
        )

        select _row_id, concat_ws(' ', specimen_id, loinc, '- one of several') as observed
        from suspects
        qualify count(*) over (partition by specimen_id, loinc) > 1""",
    "patient_known": """-- results of nobody: one row per violating result
        select _row_id, 'no front page' as observed
        from staging.labs
        where patient_id not in (select p.patient_id from staging.patients as p)""",
    "not_twice": """-- the same result of the same time again: one row per such result
        with keys as (
            select hash(patient_id, loinc, collected_at, value_text) as key_hash from staging.labs
            where loinc is not null and collected_at is not null and value_text is not null
        ),

        neighbours as (
            select key_hash, lag(key_hash) over (order by key_hash) as before from keys
        ),

        repeated as (
            select distinct key_hash from neighbours where key_hash = before
        ),

        suspects as (
            select _row_id, patient_id, loinc, collected_at, value_text from staging.labs
            where loinc is not null and collected_at is not null and value_text is not null
            and hash(patient_id, loinc, collected_at, value_text) in (select r.key_hash from repeated as r)
        )

        select _row_id, concat_ws(' ', loinc, value_text, 'at', collected_at, '- again') as observed
        from suspects
        qualify count(*) over (partition by patient_id, loinc, collected_at, value_text) > 1""",
    "after_birth": """-- specimens older than the patient: one row per violating result
        with persons as (
            select patient_id, min(birth_month) as birth_month from staging.patients group by patient_id
        )

        select l._row_id, concat('collected ', l.collected_at, ', born ', p.birth_month) as observed
        from staging.labs as l
        join persons as p on p.patient_id = l.patient_id
        where l.collected_at < p.birth_month""",
}
"""What takes more than one row or table, as files of sql/audits say it; a null key is no key."""

RULE_IDS = (*HOLDS, *AUDITS)


def bench_protocol() -> Protocol:
    """A protocol of the bench's rules and nothing else; all of them quarantine."""
    rules = [
        Rule(
            id=rule_id, table="labs", says=f"{rule_id} holds", holds=HOLDS.get(rule_id),
            category="plausibility", action="quarantine", tolerate=1.0, because="measured here", fix="none",
        )
        for rule_id in RULE_IDS
    ]  # fmt: skip
    study = Study(
        id="bench", title="The gate's bench", source="bench", as_of=date(2026, 1, 1), time_zero="none",
        parameters={}, baseline={}, covariates={},
        eligibility=[Criterion(id="any", says="Any", keep="patient_id is not null", because="nobody is left out")],
        endpoints={"death": Endpoint(says="Death", event="death", primary=True)},
    )  # fmt: skip
    return Protocol.model_validate(
        {
            "analytes": {}, "definitions": {}, "rules": {rule.id: rule for rule in rules}, "waivers": (),
            "codelists": {}, "study": study, "analysis": (), "digest": "0" * 64,
        }
    )  # fmt: skip
