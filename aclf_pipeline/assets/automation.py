"""What starts a refresh: the job over everything, a daily schedule, and a sensor on newly complete batches.

Both are off until somebody switches them on in the UI. A refresh is one job in one run, because Dagster's blocking
checks gate only inside one run.

What does not belong here: anything the run does.
"""

import json

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.warehouse.batches import complete_batches

REFRESH = dg.define_asset_job("refresh", selection=dg.AssetSelection.all(), description="Everything, in one run")


def daily_schedule() -> dg.ScheduleDefinition:
    """Every night, after the hospital's exports have settled."""
    return dg.ScheduleDefinition(
        name="refresh_daily",
        job=REFRESH,
        cron_schedule="30 3 * * *",
        execution_timezone="Asia/Shanghai",
        description="Every night at 03:30",
    )


def batch_sensor(house: House) -> dg.SensorDefinition:
    """One refresh for every set of complete batches not seen before; a half-copied batch is not seen."""

    @dg.sensor(
        name="new_complete_batch",
        job=REFRESH,
        minimum_interval_seconds=60,
        description="Asks for a refresh when a batch folder has become complete",
    )
    def new_complete_batch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen = set(json.loads(context.cursor or "[]"))
        found = [batch.name for batch in complete_batches(house.source, house.exports)]
        new = [name for name in found if name not in seen]
        if not new:
            return dg.SkipReason(f"no complete batch besides the {len(seen)} seen")
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=",".join(new), tags={"aclf/batches": ",".join(new)})],
            cursor=json.dumps(sorted({*seen, *new})),
        )

    return new_complete_batch
