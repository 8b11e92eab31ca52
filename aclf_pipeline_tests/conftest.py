"""Whole refreshes, made once per worker: a small simulated hospital taken from raw files to a release."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from aclf_pipeline.settings import Settings

os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


@dataclass(frozen=True)
class Refreshed:
    """A home after its refresh, with the truth of the bundle it was refreshed from."""

    settings: Settings
    bundle: Path
    success: bool
    checks: dict[tuple[str, str], bool]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refresh_bundle(root: Path, profile: str, *, n_persons: int = 300, seed: int = 1) -> Refreshed:
    """Simulate, refresh, and give what came of it."""
    from aclf_pipeline.assets.instance import run_refresh
    from aclf_pipeline.simulate import write_bundle

    bundle = root / "bundle"
    if not bundle.exists():
        write_bundle(bundle, n_persons=n_persons, seed=seed, profile=profile)
    settings = Settings(
        home=root / "home",
        exports_dir=bundle / "exports" / "his",
        reports_url=f"http://127.0.0.1:{free_port()}",
    )
    result = run_refresh(settings)
    checks = {(c.asset_key.to_user_string(), c.check_name): c.passed for c in result.get_asset_check_evaluations()}
    return Refreshed(settings, bundle, result.success, checks)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Refreshed:
    return refresh_bundle(tmp_path_factory.mktemp("clean"), "clean")


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Refreshed:
    return refresh_bundle(tmp_path_factory.mktemp("standard"), "standard")
