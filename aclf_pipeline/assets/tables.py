"""Tables that SQL makes: one asset per file of the graph, and one for the protocol's tables.

What does not belong here: staging's promotion to core (gate), and the tables that science makes (cohort).
"""

from collections.abc import Iterator

import dagster as dg

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, lineage, table_entries
from aclf_pipeline.warehouse.graph import Model, absent_models, build, load_mappings, mapping_tables
from aclf_pipeline.warehouse.rules_tables import RULES_TABLES, load_rules


def table_assets(house: House) -> list[dg.AssetsDefinition]:
    """The protocol's tables, every table of the SQL graph, and an empty one for each kind the source has not."""
    absent = absent_models(house.source)
    return [_protocol_asset(house), *(_table_asset(house, model) for model in (*house.models, *absent))]


def _protocol_asset(house: House) -> dg.AssetsDefinition:
    names = [*RULES_TABLES, *mapping_tables(house.settings.sql, house.settings.source)]
    specs = [
        dg.AssetSpec(
            key(name),
            group_name=name.split(".")[0],
            kinds={"yaml" if name.startswith("rules.") else "csv"},
            owners=OWNERS["clinic"],
            description=f"`{name}`: the protocol as a table" if name.startswith("rules.") else f"`{name}`: codes",
        )
        for name in names
    ]

    @dg.multi_asset(name="protocol", specs=specs)
    def protocol(context: dg.AssetExecutionContext) -> Iterator[Yielded]:  # noqa: ARG001
        with house.open() as wh:
            rows = {**load_rules(wh, house.protocol), **load_mappings(wh, house.settings.sql, house.settings.source)}
        for name in names:
            yield dg.MaterializeResult(key(name), metadata=table_entries(name, rows[name], None))

    return protocol


def _table_asset(house: House, model: Model) -> dg.AssetsDefinition:
    contract = house.contract(model.table)

    @dg.asset(
        key=key(model.table),
        deps=[key(parent) for parent in model.parents],
        group_name=model.schema,
        kinds={"duckdb", "sql"},
        owners=OWNERS["data"],
        description=f"{model.says}\n\n**Grain:** {model.grain}\n\n```sql\n{model.sql}\n```",
        metadata={"dagster/column_lineage": lineage(model)},
    )
    def build_table(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # noqa: ARG001
        with house.open() as wh:
            rows = build(wh, model, contract)
        return dg.MaterializeResult(metadata=table_entries(model.table, rows, contract))

    return build_table
