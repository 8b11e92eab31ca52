"""What the ledger says of refreshes and deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest

import aclf_pipeline
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.ledger import begin_refresh, finish_refresh, newest_delivery, order_batches, write_batch
from aclf_pipeline.warehouse.sources import load_source

ROOT = Path(aclf_pipeline.__file__).parent
PROTOCOL = load_protocol(ROOT / "protocol", "nct07198854")
NOON = datetime(2020, 1, 1, 12)
HIS, CLIF = (load_source(ROOT.parent / "sql" / "staging" / name) for name in ("his", "clif"))


@pytest.fixture
def wh(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path / "warehouse.duckdb") as opened:
        yield opened


def test_a_refresh_that_never_said_how_it_ended_was_interrupted(wh: Warehouse) -> None:
    begin_refresh(wh, "done", NOON, "his", PROTOCOL, date(2019, 10, 31))
    finish_refresh(wh, "done", NOON, "published")
    begin_refresh(wh, "crashed", NOON, "his", PROTOCOL, date(2019, 10, 31))
    begin_refresh(wh, "again", NOON, "his", PROTOCOL, date(2019, 10, 31))
    states = dict(wh.rows("select refresh_id, state from quality.refreshes"))
    assert states == {"done": "published", "crashed": "interrupted", "again": "running"}
    finish_refresh(wh, "again", NOON, "held_back")
    assert wh.scalar("select state from quality.refreshes where refresh_id = 'again'") == "held_back"


def test_the_newest_delivery_is_the_latest_day_of_a_loaded_folder(wh: Warehouse) -> None:
    assert newest_delivery(wh, HIS) is None
    for name, state in {"20181015_full": "loaded", "20190115_incr_r2": "loaded", "20190715_incr": "blocked"}.items():
        write_batch(wh, "his", name, state, NOON, 0)
    order_batches(wh, "his", ["20181015_full", "20190115_incr_r2"])
    assert newest_delivery(wh, HIS) == date(2019, 1, 15)


def test_a_source_whose_folders_carry_no_day_has_none(wh: Warehouse) -> None:
    write_batch(wh, "clif", "clif_demo", "loaded", NOON, 0)
    order_batches(wh, "clif", ["clif_demo"])
    assert newest_delivery(wh, CLIF) is None
