"""A second refresh of the same exports loads nothing and comes to the same cohort and the same release."""

from __future__ import annotations

import pytest

from aclf_pipeline.assets.instance import run_refresh
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.release import content_digest, verify

pytestmark = pytest.mark.xdist_group("clean")


def test_a_second_refresh_loads_no_file_twice_and_ends_with_the_same_digest(clean):
    with Warehouse.open(clean.settings.warehouse) as wh:
        before = (
            content_digest(wh),
            wh.scalar("select count(*) from quality.files"),
            wh.scalar("select count(*) from raw.his__lab_results"),
        )
    releases = sorted(path.name for path in clean.settings.releases.iterdir())
    result = run_refresh(clean.settings)
    assert result.success
    with Warehouse.open(clean.settings.warehouse) as wh:
        after = (
            content_digest(wh),
            wh.scalar("select count(*) from quality.files"),
            wh.scalar("select count(*) from raw.his__lab_results"),
        )
    assert after == before
    assert sorted(path.name for path in clean.settings.releases.iterdir()) == releases


def test_the_release_is_what_its_manifest_says(clean):
    (release,) = clean.settings.releases.iterdir()
    assert verify(release) == []
