"""Dagster's own storage for this house: a folder with a `dagster.yaml`, and runs of the refresh job in this process.

What does not belong here: what a refresh does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from aclf_pipeline.assets.build import definitions_of
from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.preflight import unfit
from aclf_pipeline.errors import UserError
from aclf_pipeline.settings import Settings

_CONFIG = Path(__file__).with_name("dagster.yaml")


def prepare_home(folder: Path) -> Path:
    """Create Dagster's home with our configuration; an existing configuration is the user's and stays."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        shutil.copyfile(_CONFIG, folder / "dagster.yaml")
    return folder


def run_refresh(
    settings: Settings, progress: Callable[[str, int, int], None] | None = None
) -> dg.ExecuteInProcessResult:
    """Run the job `refresh` here, recorded where the UI reads; failures are in the result, not raised.

    Raises UserError, before anything is written, with everything that must be right first and is not.
    """
    house = House.load(settings, progress)
    if problems := unfit(house):
        raise UserError(problems)
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.from_config(str(prepare_home(settings.dagster_home))) as instance:
        job = definitions_of(house).resolve_job_def("refresh")
        return job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet)
