"""One clean and one damaged bundle of 300 persons, written once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from aclf_pipeline.simulate import write_bundle

PERSONS = 300


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clean") / "bundle"
    write_bundle(root, n_persons=PERSONS, seed=1)
    return root


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("standard") / "bundle"
    write_bundle(root, n_persons=PERSONS, seed=1, profile="standard")
    return root
