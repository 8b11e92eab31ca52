"""What every contract shares: the base class, and readers of what a contract promises.

A contract says which columns a table has, their types, their keys and their closed vocabularies, and what each means.
It blocks: a table that breaks its contract is not promoted.

What does not belong here: numbers (ranges and tolerances are pages of the protocol) and anything about a single row
that a hospital could get wrong; that is a rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandera.polars as pa
import polars as pl

Timestamp = pl.Datetime("us")


class Contract(pa.DataFrameModel):
    """A table: columns in order, no others. `Config.metadata` carries grain, key, identity and version order."""

    class Config:
        """No column more, none less."""

        strict = True
        coerce = False


def column(says: str, *, null: bool = False, within: tuple[str, ...] | None = None, unique: bool = False) -> Any:
    """A promised column: what it means, whether it may be null, and its closed vocabulary, if it has one."""
    return pa.Field(description=says, nullable=null, unique=unique, isin=list(within) if within else None)


def row_key() -> Any:
    """The key every canonical row carries: file, sheet, physical line and item of the delivered bytes, packed."""
    return pa.Field(alias="_row_id", unique=True, description="Where the row comes from: file, sheet, line, item")


@dataclass(frozen=True)
class ColumnPromise:
    """One column as its contract promises it."""

    name: str
    dtype: str
    nullable: bool
    unique: bool
    says: str
    within: tuple[str, ...] | None


def promises(contract: type[Contract]) -> list[ColumnPromise]:
    """The promised columns of a contract, in order."""
    found = []
    for name, spec in contract.to_schema().columns.items():
        within = next((tuple(c.statistics["allowed_values"]) for c in spec.checks if c.name == "isin"), None)
        found.append(
            ColumnPromise(name, str(spec.dtype), spec.nullable, bool(spec.unique), spec.description or "", within)
        )
    return found


def facts(contract: type[Contract]) -> dict[str, Any]:
    """Grain, key, identity and version order, as the contract's `Config.metadata` states them."""
    return dict(getattr(contract.Config, "metadata", None) or {})


def empty_frame(contract: type[Contract]) -> pl.DataFrame:
    """A frame with the promised columns and types and no row: what an absent kind looks like."""
    return pl.DataFrame(schema={name: spec.dtype.type for name, spec in contract.to_schema().columns.items()})
