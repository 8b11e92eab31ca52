"""The real pages, and a copy of them to break."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import aclf_pipeline.protocol
from aclf_pipeline.protocol import Protocol, ProtocolError, load_protocol
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline_tests.protocol.audit_world import AuditWorld

PAGES = Path(aclf_pipeline.protocol.__file__).parent
STUDY = "nct07198854"


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return load_protocol(PAGES, STUDY)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A copy of the pages that a test may change."""
    shutil.copytree(PAGES, tmp_path / "protocol", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return tmp_path / "protocol"


@pytest.fixture
def change(pages: Path) -> Callable[[str, str, str], Path]:
    """Replace the first occurrence of a text on one page of the copy."""

    def changed(page: str, old: str, new: str) -> Path:
        text = (pages / page).read_text("utf-8")
        assert old in text, f"{page} does not say {old!r}"
        (pages / page).write_text(text.replace(old, new, 1), "utf-8")
        return pages

    return changed


def problems_of(pages: Path, study: str = STUDY) -> list[str]:
    """What the reader says about pages that cannot be used."""
    with pytest.raises(ProtocolError) as caught:
        load_protocol(pages, study)
    return caught.value.problems


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory, protocol: Protocol) -> Iterator[AuditWorld]:
    """A warehouse with the real pages loaded, shared by the tests of one module: every drawing stages all tables."""
    with Warehouse.open(tmp_path_factory.mktemp("audits") / "warehouse.duckdb") as wh:
        load_rules(wh, protocol)
        yield AuditWorld(wh, protocol)
