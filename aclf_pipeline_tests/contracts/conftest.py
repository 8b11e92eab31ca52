"""Fixtures of the tests of the contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aclf_pipeline.warehouse.connection import Warehouse


@pytest.fixture
def wh(tmp_path: Path) -> Iterator[Warehouse]:
    """An open, empty warehouse in a file of its own."""
    with Warehouse.open(tmp_path / "warehouse.duckdb") as opened:
        yield opened
