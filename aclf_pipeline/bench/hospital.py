"""A simulated hospital taken as far as the gate, without Dagster, pages or models: what the detection bench judges.

What does not belong here: counting what was found (`detection`) and what a rule is worth (`mutation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aclf_pipeline.assets.house import House
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.settings import Settings
from aclf_pipeline.simulate import write_bundle
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import absent_models, build, load_mappings
from aclf_pipeline.warehouse.ingest import ingest
from aclf_pipeline.warehouse.ledger import begin_refresh
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.rules_tables import load_rules

SOURCE, STUDY, REFRESH = "his", "nct07198854", "bench"


@dataclass(frozen=True)
class Judged:
    """A hospital whose rows have been judged: its truth, its warehouse, and the gate's report."""

    profile: str
    seed: int
    rate: float
    truth: Path
    house: House
    pseudonyms: PseudonymKey
    report: GateReport

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """The warehouse the gate left behind."""
        with self.house.open() as wh:
            yield wh


def judge_hospital(folder: Path, *, persons: int, seed: int, profile: str, rate: float = 1.0) -> Judged:
    """Simulate a hospital in an empty folder, take in its exports, stage and judge them."""
    write_bundle(folder, n_persons=persons, seed=seed, profile=profile, rate=rate)
    settings = Settings(home=folder / "home", exports_dir=folder / "exports" / SOURCE, study=STUDY, source=SOURCE)
    house = House.load(settings)
    pseudonyms = PseudonymKey.load(settings.key_file)
    with house.open() as wh:
        report = _judge(wh, house, pseudonyms)
    return Judged(profile, seed, rate, folder / "truth", house, pseudonyms, report)


def _judge(wh: Warehouse, house: House, pseudonyms: PseudonymKey) -> GateReport:
    now = datetime.now(UTC).replace(tzinfo=None)
    begin_refresh(wh, REFRESH, now, house.source.id, house.protocol, house.as_of)
    ingest(wh, house.source, house.exports, pseudonyms, now)
    load_rules(wh, house.protocol)
    load_mappings(wh, house.settings.sql, house.settings.source)
    for model in (*house.models, *absent_models(house.source)):
        if model.schema == "staging":
            build(wh, model, house.contract(model.table))
    return run_gate(wh, house.protocol, house.audits, REFRESH, source=house.source.id, review_on=house.review_on(wh))
