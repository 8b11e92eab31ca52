"""Puts the assets of one study on one page.

What does not belong here: the assets themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from aclf_pipeline.assets.analysis import analysis_assets
from aclf_pipeline.assets.automation import REFRESH, batch_sensor, daily_schedule
from aclf_pipeline.assets.codebook import codebook_asset
from aclf_pipeline.assets.cohort import cohort_asset
from aclf_pipeline.assets.gate import gate_asset
from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.ingest import ingest_asset
from aclf_pipeline.assets.reports import report_assets
from aclf_pipeline.assets.selection import selection_asset
from aclf_pipeline.assets.selfcheck import self_check_asset
from aclf_pipeline.assets.severity import severity_asset
from aclf_pipeline.assets.survival import survival_asset
from aclf_pipeline.assets.tables import table_assets
from aclf_pipeline.settings import Settings


def build_definitions(settings: Settings, progress: Callable[[str, int, int], None] | None = None) -> dg.Definitions:
    """Everything Dagster sees for one source and study."""
    return definitions_of(House.load(settings, progress))


def definitions_of(house: House) -> dg.Definitions:
    """Everything Dagster sees for a house that is loaded already.

    Steps run in one process: DuckDB admits one writing process, and a step costs 0.04 s of CPU there against 5 s in a
    process of its own.
    """
    return dg.Definitions(
        assets=[
            ingest_asset(house),
            *table_assets(house),
            gate_asset(house),
            cohort_asset(house),
            severity_asset(house),
            selection_asset(house),
            survival_asset(house),
            codebook_asset(house),
            self_check_asset(house),
            *analysis_assets(house),
            *report_assets(house),
        ],
        jobs=[REFRESH],
        schedules=[daily_schedule()],
        sensors=[batch_sensor(house)],
        executor=dg.in_process_executor,
    )
