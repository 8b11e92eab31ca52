"""The truth beside the exports: patients, defects, model.

Not here: making any of it true.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from .clock import SECONDS, day, to_date, to_datetime
from .covariates import FLAGS, NUMERIC
from .deaths import Notice
from .findings import Findings, patient_id
from .followup import Call
from .imaging import outpatient_days
from .lab_tubes import Tubes
from .outcomes import model_page
from .population import Person, all_reasons, first_reason
from .rows import Kind
from .trajectories import Encounters
from .world import World

_COSSH_TBIL = 12 * 17.10
_FLOATS = ("age_years", "height_cm", "weight_kg", *NUMERIC, "nlr", "meld")
_LATENT = (
    "eta_death",
    "eta_death_late",
    "eta_transplant",
    "t_death",
    "t_transplant",
    "t_lost",
    "t_admin",
    "event_time",
)


def last_evidence(world: World, enc: Encounters, tubes: Tubes, imaging: Kind, calls: list[Call]) -> dict[int, int]:
    """Last day on which delivered rows show each person alive: stays, visits, examinations, calls."""
    found: dict[int, int] = {}

    def see(person: int, at: int) -> None:
        if at > found.get(person, -1):
            found[person] = at

    for stay in world.stays:
        if stay.batch < 4:
            see(stay.person, stay.last - stay.dead)
    outpatient = enc.stay[tubes.encounter] < 0
    for person, at in zip(enc.person[tubes.encounter[outpatient]], tubes.collected[outpatient] // SECONDS, strict=True):
        see(int(person), int(at))
    for person, days in outpatient_days(imaging).items():
        for text in days:
            year, month, of_month = map(int, text.split("-"))
            see(person, day(year, month, of_month))
    for call in calls:
        if call.alive_on is not None and call.until >= 4:
            see(call.person.idx, call.alive_on)
    return found


def _aclf_flags(world: World) -> dict[str, Any]:
    """Definitions by true values on admission. EASL-CLIF: cirrhosis and the grades of CANONIC (efclif.com)."""
    x = world.x
    tbil, inr = x["dx_tbil"], x["dx_inr"]
    signs = (x["ascites"] > 0) | (x["he_grade"] > 0)
    crea, he = x["crea_umol_l"] / 88.40, x["he_grade"]
    failures = np.stack([tbil / 17.10 >= 12, crea >= 2, he >= 3, inr >= 2.5]).sum(axis=0)
    mild_kidney = (crea >= 1.5) & (crea < 2)
    single = (failures == 1) & (
        (crea >= 2)
        | (((tbil / 17.10 >= 12) | (inr >= 2.5)) & (mild_kidney | ((he >= 1) & (he <= 2))))
        | ((he >= 3) & mild_kidney)
    )
    return {
        "aclf_apasl": (tbil >= 85) & (inr >= 1.5) & signs,
        "aclf_cn2012": (tbil >= 171) & (inr >= 1.5),
        "aclf_cossh": (tbil >= _COSSH_TBIL) & (inr >= 1.5),
        "aclf_easl": x["cirrhosis"] & (single | (failures >= 2)),
    }


def hbsag_levels(world: World) -> list[int]:
    """0 none, 1 code, 2 history, 3 two positive results at least 183 days apart, up to the end of the index stay."""
    early = {visit.person for visit in world.visits if visit.kind == "early"}
    early |= {stay.person for stay in world.stays if stay.role == "early"}
    levels = []
    for person in world.persons:
        if "hbsag_evidence" in person.reasons:
            levels.append(0)
        elif person.idx in early:
            levels.append(3)
        else:
            levels.append(2 if person.history not in ("", "不详", "首次发现") else 1)
    return levels


def death_visible(person: Person, notices: dict[int, Notice], calls: dict[int, list[Call]]) -> bool:
    """Whether the exports without defects show the death."""
    if person.death is None:
        return False
    told = any(call.tells_death for call in calls.get(person.idx, []))
    return person.death_in_hospital or person.idx in notices or told


def patients_frame(
    world: World, notices: dict[int, Notice], calls: list[Call], last_alive: dict[int, int]
) -> pl.DataFrame:
    """`truth/patients.parquet`: one row per person."""
    calls_of: dict[int, list[Call]] = {}
    for call in calls:
        calls_of.setdefault(call.person.idx, []).append(call)
    flags, levels = _aclf_flags(world), hbsag_levels(world)
    stays = world.stays_of()
    rows = []
    for person in world.persons:
        i = person.idx
        stay = world.stays[person.index_stay]
        row = _person_row(world, person)
        row |= {
            "bah": list(dict.fromkeys(held.bah for held in stays[i])),
            "index_bah": stay.bah,
            "index_zycs": stay.zycs,
            "admitted_at": to_datetime(stay.adm),
            "discharged_at": to_datetime(stay.dis),
            "hbsag_evidence": levels[i],
            "last_alive": to_date(last_alive[i]),
            "death_visible": death_visible(person, notices, calls_of),
        }
        row |= {name: bool(values[i]) for name, values in flags.items()}
        rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA)


def _day(number: int | None) -> Any:
    return None if number is None else to_date(number)


def _person_row(world: World, person: Person) -> dict[str, Any]:
    i, x = person.idx, world.x
    death = person.death if person.death is not None else world.hidden_death.get(i)
    graft = person.transplant if person.transplant is not None else world.hidden_transplant.get(i)
    row: dict[str, Any] = {
        "patient_id": patient_id(i),
        "sex": person.sex,
        "birth_date": to_date(person.birth),
        "aclf_onset": to_date(person.onset) if person.aclf else None,
        "infusion_dates": [to_date(f.day) for f in person.infusions],
        "infusion_cells_1e6": [f.cells_1e6 for f in person.infusions],
        "infusion_batches": [f.batch for f in person.infusions],
        "first_infusion": _day(person.infusions[0].day if person.infusions else None),
        "second_infusion": _day(person.infusions[1].day if len(person.infusions) > 1 else None),
        "eligible": not person.reasons,
        "exclusion_reason": first_reason(person),
        "exclusion_reasons": all_reasons(person),
        "time_zero": _day(person.time_zero),
        "he_grade": int(x["he_grade"][i]),
        "ascites": int(x["ascites"][i]),
        "antiviral": str(x["antiviral"][i]),
        "event": person.event,
        "event_date": _event_date(world, person),
        "death_date": _day(death),
        "transplant_date": _day(graft),
    }
    row |= {name: float(x[name][i]) for name in _FLOATS}
    row |= {name: bool(x[name][i]) for name in FLAGS}
    for name in _LATENT:
        value = float(world.latent[name][i])
        row[name] = None if np.isnan(value) else value
    return row


def _event_date(world: World, person: Person) -> Any:
    if person.event is None or person.time_zero is None:
        return None
    return to_date(person.time_zero + int(np.ceil(world.latent["event_time"][person.idx])))


SCHEMA: dict[str, Any] = {
    "patient_id": pl.String,
    "bah": pl.List(pl.String),
    "sex": pl.String,
    "birth_date": pl.Date,
    "index_bah": pl.String,
    "index_zycs": pl.Int16,
    "admitted_at": pl.Datetime("ms"),
    "discharged_at": pl.Datetime("ms"),
    "aclf_onset": pl.Date,
    "aclf_apasl": pl.Boolean,
    "aclf_cn2012": pl.Boolean,
    "aclf_cossh": pl.Boolean,
    "aclf_easl": pl.Boolean,
    "hbsag_evidence": pl.Int8,
    "infusion_dates": pl.List(pl.Date),
    "infusion_cells_1e6": pl.List(pl.Float64),
    "infusion_batches": pl.List(pl.String),
    "first_infusion": pl.Date,
    "second_infusion": pl.Date,
    "eligible": pl.Boolean,
    "exclusion_reason": pl.String,
    "exclusion_reasons": pl.List(pl.String),
    "time_zero": pl.Date,
    "age_years": pl.Float64,
    "height_cm": pl.Float64,
    "weight_kg": pl.Float64,
    **dict.fromkeys(FLAGS, pl.Boolean),
    "he_grade": pl.Int8,
    "ascites": pl.Int8,
    "antiviral": pl.String,
    **dict.fromkeys(NUMERIC, pl.Float64),
    "nlr": pl.Float64,
    "meld": pl.Float64,
    **dict.fromkeys(_LATENT[:-1], pl.Float64),
    "event": pl.String,
    "event_time": pl.Float64,
    "event_date": pl.Date,
    "death_date": pl.Date,
    "transplant_date": pl.Date,
    "last_alive": pl.Date,
    "death_visible": pl.Boolean,
}


def defects_frame(findings: Findings) -> pl.DataFrame:
    """`truth/defects.parquet`: one row per affected cell, row or file."""
    rows = [
        {
            "defect_id": f.defect_id, "file": f.file, "line": f.line, "sheet": f.sheet,
            "patient": None if f.person is None else patient_id(f.person), "column": f.column,
            "original_value": f.original, "corrupted_value": f.corrupted, "instance": f.instance, "level": f.level,
            "habit": f.habit, "actions": list(f.actions), "detectable": f.detectable,
        }
        for f in findings.entries
    ]  # fmt: skip
    return pl.DataFrame(rows, schema={
        "defect_id": pl.String, "file": pl.String, "line": pl.Int64, "sheet": pl.String, "patient": pl.String,
        "column": pl.String, "original_value": pl.String, "corrupted_value": pl.String, "instance": pl.Int64,
        "level": pl.String, "habit": pl.Boolean, "actions": pl.List(pl.String), "detectable": pl.Boolean,
    })  # fmt: skip


def plain_table(frame: pl.DataFrame) -> pa.Table:
    """Arrow table with the plain types of the specification: string, list<item>, timestamp[s]."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())

    def plain(kind: pa.DataType) -> pa.DataType:
        if pa.types.is_large_list(kind) or pa.types.is_list(kind):
            return pa.list_(plain(kind.value_type))
        if pa.types.is_large_string(kind):
            return pa.string()
        return pa.timestamp("s") if pa.types.is_timestamp(kind) else kind

    return table.cast(pa.schema([pa.field(f.name, plain(f.type)) for f in table.schema]))


def write_truth(root: Path, patients: pl.DataFrame, defects: pl.DataFrame, world: World, profile: str) -> None:
    """Write the three files of `truth/`."""
    place = root / "truth"
    place.mkdir(parents=True, exist_ok=True)
    pq.write_table(plain_table(patients), place / "patients.parquet")
    pq.write_table(plain_table(defects), place / "defects.parquet")
    page = model_page(world.hazards, world.seed, profile, world.n_persons)
    (place / "model.json").write_text(json.dumps(page, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
