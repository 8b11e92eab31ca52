"""The day on which waivers are judged: said, or the data's own; never the machine's clock."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

from aclf_pipeline.assets.house import House
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.ledger import order_batches, write_batch

DAYS = {
    # study, source, batch: without a setting
    ("nct07198854", "his", "20191115_incr"): date(2019, 11, 15),
    ("icu_cirrhosis", "clif", "clif_demo"): None,
}


@pytest.mark.parametrize(("study", "source", "batch"), DAYS)
def test_the_day_of_review(study: str, source: str, batch: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, study=study, source=source)
    house = House.load(settings)
    with house.open() as wh:
        assert house.review_on(wh) == house.as_of == house.protocol.study.as_of
        write_batch(wh, source, batch, "loaded", datetime(2026, 1, 1), 0)
        order_batches(wh, source, [batch])
        assert house.review_on(wh) == (DAYS[study, source, batch] or house.protocol.study.as_of)
        said = House.load(settings.model_copy(update={"review_on": date(2026, 6, 1)}))
        assert said.review_on(wh) == date(2026, 6, 1)
        assert said.as_of == house.as_of
