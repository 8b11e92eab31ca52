"""Raw exports into the warehouse: one asset per raw table, all of one step, since a batch passes whole or not at all.

What does not belong here: reading files (warehouse) and judging rows (gate).
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, table, table_entries
from aclf_pipeline.warehouse.ingest import IngestReport, ingest
from aclf_pipeline.warehouse.ledger import begin_refresh
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey

FILES = dg.AssetKey(["quality", "files"])
BATCHES_ACCEPTED = "batches_accepted"


def ingest_asset(house: House) -> dg.AssetsDefinition:
    """The raw tables of the source and the ledger of files."""
    tables = {house.source.raw_table(name): file for name, file in house.source.files.items()}
    specs = [
        dg.AssetSpec(
            key(name), group_name="raw", kinds={"file", file.format}, owners=OWNERS["data"], description=file.says
        )
        for name, file in tables.items()
    ]
    files = dg.AssetSpec(
        FILES, group_name="quality", kinds={"duckdb"}, owners=OWNERS["data"], description="One row per file loaded"
    )
    check = dg.AssetCheckSpec(
        BATCHES_ACCEPTED, asset=FILES, description="Every complete batch folder was read whole; none is held back"
    )

    @dg.multi_asset(name="ingest", specs=[*specs, files], check_specs=[check])
    def ingest_exports(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        now = datetime.now(UTC).replace(tzinfo=None)
        # many appends to one table: two threads would leave small row groups, written twice
        with house.open(threads=1) as wh:
            begin_refresh(wh, context.run.run_id, now, house.source.id, house.protocol, house.as_of)
            pseudonyms = PseudonymKey.load(house.settings.key_file)
            report = ingest(wh, house.source, house.exports, pseudonyms, now, house.progress)
            rows = {name: wh.scalar(f"select count(*) from {name}") for name in [*tables, "quality.files"]}
        for name, count in rows.items():
            yield dg.MaterializeResult(key(name), metadata=table_entries(name, count, None))
        yield _batches_check(report)

    return ingest_exports


def _batches_check(report: IngestReport) -> dg.AssetCheckResult:
    problems = [
        {"batch": p.batch, "file": p.file, "line": p.line, "rule": p.rule_id, "message": p.message, "advice": p.advice}
        for batch in report.batches
        for p in batch.problems
    ]
    held = [batch.name for batch in report.batches if batch.state in ("blocked", "held_back")]
    loaded = f"{report.files_loaded} files with {report.rows_loaded} rows loaded, {report.files_skipped} known already"
    return dg.AssetCheckResult(
        asset_key=FILES,
        check_name=BATCHES_ACCEPTED,
        passed=not held,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"held back: {', '.join(held)}; {loaded}" if held else loaded,
        metadata={
            "1_problems": table(problems[:25], ["batch", "file", "line", "rule", "message", "advice"]),
            "files_loaded": report.files_loaded,
            "rows_loaded": report.rows_loaded,
            "problems": len(problems),
        },
    )
