"""The only room that opens DuckDB: the connection, the way in (ingest), the sql folder as a graph, the ledger tables.

What does not belong here: judging rows (quality), what a table promises (contracts), clinical figures (protocol).
"""

from __future__ import annotations

from aclf_pipeline.warehouse.connection import Warehouse, WarehouseError

__all__ = ["Warehouse", "WarehouseError"]
