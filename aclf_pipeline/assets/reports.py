"""The three pages and the release: what people read, and what is published when nothing blocking has failed.

What does not belong here: rendering (reports) and writing a release (warehouse).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from aclf_pipeline.assets.codebook import CODEBOOK, labels_of
from aclf_pipeline.assets.cohort import COHORT_TABLES
from aclf_pipeline.assets.exchange import write_exchange
from aclf_pipeline.assets.gate import LEDGER
from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key
from aclf_pipeline.assets.pages import finish_published, released_study, write_dictionary, write_study
from aclf_pipeline.assets.selection import SELECTION_TABLES
from aclf_pipeline.assets.self_check_page import SELF_CHECK
from aclf_pipeline.assets.survival import SURVIVAL_TABLES
from aclf_pipeline.contracts.severity import SEVERITY
from aclf_pipeline.warehouse.release import content_digest, publish

PAGES = ("study", "dictionary")
RELEASED_MARTS = (*COHORT_TABLES, *SELECTION_TABLES, *SURVIVAL_TABLES, "codebook")


def report_assets(house: House) -> list[dg.AssetsDefinition]:
    """The study page, the dictionary, and the release with the validation page."""
    return [_study_page(house), _dictionary_page(house), _release(house)]


def _study_page(house: House) -> dg.AssetsDefinition:
    analyses = [SELF_CHECK, *(["analysis", spec.id] for spec in house.protocol.analysis)]

    @dg.asset(
        key=["reports", "study"],
        deps=[
            *analyses,
            *([["marts", name] for name in (*COHORT_TABLES, *SELECTION_TABLES, *SURVIVAL_TABLES, *SEVERITY)]),
        ],
        group_name="reports",
        kinds={"html"},
        owners=OWNERS["statistics"],
        description="Flow chart, table one, curves, models and what they must not be read as",
    )
    def study_page(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # noqa: ARG001
        with house.open() as wh:
            path = write_study(house, wh, content_digest(wh))
        return _page_result(house, path)

    return study_page


def _dictionary_page(house: House) -> dg.AssetsDefinition:
    @dg.asset(
        key=["reports", "dictionary"],
        deps=[["rules", "analytes"], ["rules", "rules"], key(CODEBOOK)],
        group_name="reports",
        kinds={"html"},
        owners=OWNERS["clinic"],
        description="Every table and column, its type, unit, range and reason, made from contracts and protocol",
    )
    def dictionary_page(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # noqa: ARG001
        with house.open() as wh:
            return _page_result(house, write_dictionary(house, wh))

    return dictionary_page


def _release(house: House) -> dg.AssetsDefinition:
    specs = [
        dg.AssetSpec(
            ["reports", "validation"],
            deps=[*(key(name) for name in LEDGER), ["quality", "files"], ["marts", "cohort"]],
            group_name="reports",
            kinds={"html"},
            owners=OWNERS["data"],
            description="Every rule: what, why, counts, where, and what the hospital's IT should look at",
        ),
        dg.AssetSpec(
            "release",
            deps=[["reports", "study"], ["reports", "dictionary"], *([["marts", name] for name in RELEASED_MARTS])],
            group_name="reports",
            kinds={"parquet", "csv"},
            owners=OWNERS["data"],
            description="An immutable folder of what passed, the pages and contract it passed by, and hashes of all",
        ),
    ]

    @dg.multi_asset(name="publish", specs=specs)
    def publish_release(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        settings, pages = house.settings, {f"{name}.html": house.settings.reports / f"{name}.html" for name in PAGES}
        pages |= {"study.html": released_study(house), **write_exchange(house)}
        with house.open() as wh:
            made = publish(wh, settings.study, house.as_of, settings.releases, pages, labels=labels_of(house),
                           protocol_digest=house.protocol.digest, synthetic=settings.is_synthetic)  # fmt: skip
            page = finish_published(house, wh, context.run.run_id, made.path.name)
        yield _page_result(house, page)
        yield dg.MaterializeResult(
            "release", metadata={"path": dg.MetadataValue.path(made.path), "digest": made.digest, "new": made.is_new}
        )

    return publish_release


def _page_result(house: House, path: Path) -> dg.MaterializeResult:
    metadata: dict[str, dg.MetadataValue[Any]] = {"path": dg.MetadataValue.path(path)}
    metadata["page"] = dg.MetadataValue.url(f"{house.settings.reports_url.rstrip('/')}/{path.name}")
    return dg.MaterializeResult(["reports", path.stem], metadata=metadata)
