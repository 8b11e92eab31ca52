"""Damage: everything of the defect catalogue that is not a habit, planted at its rate with a truth for each instance.

What does not belong here: habits, which occur in every profile (`lab_habits`, `withdrawn`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ..followup import Call, TypedCell
from ..lab_tubes import Tubes
from ..ledger import LedgerRow
from ..trajectories import Encounters
from ..world import World
from . import (
    evidence,
    lab_cells,
    lab_rows,
    lab_units,
    outcome,
    people,
    stays_level,
    text_cells,
    text_rows,
    treatment_rows,
)
from .kind_table import KindTable
from .lab_table import LabTable
from .plan import Plan

__all__ = ["KindTable", "Plan", "plant_labs", "plant_rows"]


def plant_labs(
    long: pl.DataFrame,
    records: pl.DataFrame,
    tubes: Tubes,
    enc: Encounters,
    world: World,
    plan: Plan,
    hit: list[int],
) -> None:
    """Plan all damage to the laboratory; `hit` are persons who already have a row after death."""
    lab = LabTable(long, records, tubes, enc)
    names = long.filter(pl.col("status") != "修改").sort("_u").get_column("name").to_list()
    evidence.hbsag_negative_baseline(lab, plan, world)
    lab_rows.after_death(lab, plan, world, hit)
    for plant in (*lab_rows.ALL, *lab_cells.ALL, *lab_units.ALL):
        plant(lab, plan)
    text_cells.mojibake_labs(lab, plan, names)
    text_cells.labs_broken_lines(lab, plan)
    text_cells.phi_in_remarks(lab, plan, world)


def plant_rows(
    tables: Mapping[str, KindTable],
    ledger: list[LedgerRow],
    calls: list[Call],
    call_cells: dict[int, list[TypedCell]],
    world: World,
    plan: Plan,
) -> list[int]:
    """Plan all damage to the other kinds; returns the persons with a row after death."""
    evidence.hcc_date_hidden(tables, plan, world)
    outcome.transplant_missing(calls, call_cells, tables, plan, world)
    stays_level.stay_merged(dict(tables), plan, world)
    people.sex_pregnancy_conflict(tables, plan, world)
    hit = treatment_rows.vitals_after_death(tables, plan, world)
    treatment_rows.infusion_double_entered(ledger, plan)
    treatment_rows.infusion_before_admission(ledger, plan, world)
    treatment_rows.infusion_sources(ledger, tables, plan)
    treatment_rows.ledger_cells(ledger, plan)
    treatment_rows.ledger_dates(ledger, plan)
    for plant in (
        outcome.death_date_year_typo,
        outcome.death_in_note_only,
        outcome.lost_coded_alive,
        outcome.call_numbers,
    ):
        plant(calls, call_cells, plan)
    outcome.alive_after_death(calls, call_cells, tables, plan)
    outcome.death_dates_conflict(calls, call_cells, tables, plan)
    for plant_table in (
        people.stay_impossible, people.birth_date_impossible, people.sfzh_birth_sex_conflict, people.sfzh_invalid,
        people.age_mismatch, treatment_rows.vitals_cells, treatment_rows.alss_missing, outcome.register_dates,
        text_rows.key_conflicts, text_rows.impossible_dates, text_cells.mojibake, text_cells.embedded_newline,
        text_rows.duplicate_rows,
    ):  # fmt: skip
        plant_table(tables, plan)
    people.name_rare_char(tables, plan, world)
    text_cells.phi_in_text(tables, plan, world)
    return hit
