"""What the survival tables are made of: infusions that count, daily results, calls, and when baseline was measured.

What does not belong here: making anything of them (science, quality).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from aclf_pipeline.warehouse.connection import Warehouse

INFUSIONS = "intermediate.infusions"
"""Only a study of infusions has this table."""

_GIVEN = f"select person_id, infused_on from {INFUSIONS} where is_counted order by all"
_RESULTS = """
    -- the last result of each analyte and day: one row per person, analyte and day
    select person_id, analyte, cast(collected_at as date) as measured_on,
        arg_max(value, (collected_at, _row_id)) as value
    from intermediate.labs
    where verdict in ('used', 'censored') and value is not null and list_contains(?, analyte)
    group by person_id, analyte, measured_on
    order by all
"""
_CALLS = """
    -- one row per person and day of a call
    select distinct persons.person_id, followups.called_on
    from core.followups as followups
    inner join intermediate.persons as persons on followups.patient_id = persons.patient_id
    where followups.called_on is not null
    order by all
"""
_MEASURED = """
    -- when each baseline variable was measured: one row per candidate and variable
    select candidate_id, variable, observed_at
    from intermediate.baseline_facts
    where observed_at is not null
    order by all
"""


@dataclass(frozen=True)
class SurvivalInputs:
    """infusions: person_id, infused_on (None in a study without). labs: person_id, variable, measured_on, value.

    calls: person_id, called_on. measured: candidate_id, variable, observed_at.
    """

    infusions: pl.DataFrame | None
    labs: pl.DataFrame
    calls: pl.DataFrame
    measured: pl.DataFrame


def read_inputs(wh: Warehouse, analytes: Mapping[str, str]) -> SurvivalInputs:
    """Read them; `analytes` maps each variable that is followed in time to its analyte."""
    results = wh.frame(_RESULTS, [sorted(set(analytes.values()))])
    named = [
        results.filter(pl.col("analyte") == analyte).select(
            "person_id", "measured_on", "value", variable=pl.lit(name, pl.String)
        )
        for name, analyte in analytes.items()
    ]
    empty = results.clear().select("person_id", "measured_on", "value", variable=pl.lit(None, pl.String))
    return SurvivalInputs(
        infusions=wh.frame(_GIVEN) if INFUSIONS in wh.tables() else None,
        labs=pl.concat([empty, *named]),
        calls=wh.frame(_CALLS),
        measured=wh.frame(_MEASURED),
    )
