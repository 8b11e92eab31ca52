"""What every asset of one code location shares: settings, protocol, source, the SQL graph and the audits.

All of it is read once, when Dagster loads the location; every problem of every page is then told at once.

What does not belong here: assets.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

from aclf_pipeline.contracts import KINDS, Contract, promises
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import Protocol, ProtocolError, Rule, load_protocol, proofread
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import Model, load_audits, load_graph
from aclf_pipeline.warehouse.ledger import newest_delivery
from aclf_pipeline.warehouse.sources import Source, load_source


@dataclass(frozen=True)
class House:
    """A code location's surroundings; nothing in it changes after loading."""

    settings: Settings
    protocol: Protocol
    source: Source
    models: tuple[Model, ...]
    audits: dict[str, str]
    progress: Callable[[str, int, int], None] | None = None

    @classmethod
    def load(cls, settings: Settings, progress: Callable[[str, int, int], None] | None = None) -> House:
        """Read and proof-read every page; raises with all problems of a page at once."""
        protocol = load_protocol(settings.protocol, settings.study)
        if protocol.study.source != settings.source and "source" not in settings.model_fields_set:
            raise ProtocolError(
                [
                    f"settings: study '{settings.study}' is defined on source '{protocol.study.source}', not on "
                    f"'{settings.source}'. Say --source {protocol.study.source}, or name another source on purpose."
                ]
            )
        if settings.study not in MARTS:
            raise ProtocolError(
                [
                    f"settings: study '{settings.study}' has pages and no contract of its marts. There are contracts "
                    f"of: {', '.join(MARTS)}."
                ]
            )
        audits = load_audits(settings.sql)
        proofread(protocol, promised_columns(settings.study), set(audits))
        return cls(
            settings=settings,
            protocol=protocol,
            source=load_source(settings.sql / "staging" / settings.source),
            models=tuple(load_graph(settings.sql, settings.source, settings.study)),
            audits=audits,
            progress=progress,
        )

    def open(self, threads: int | None = None) -> AbstractContextManager[Warehouse]:
        """The warehouse of this source; close it soon, since one process at a time may hold it."""
        return Warehouse.open(
            self.settings.warehouse, memory_limit=self.settings.memory_limit, threads=threads or self.settings.threads
        )

    @property
    def exports(self) -> Path:
        """The source's batch folders: those of the settings, else those an installed package carries."""
        folder, bundled = self.settings.exports, self.source.bundled
        if self.settings.exports_dir is None and not folder.is_dir() and bundled is not None:
            found = find_spec(bundled.package)
            places = list(found.submodule_search_locations or ()) if found else []
            return Path(places[0]) / bundled.folder if places else folder
        return folder

    @property
    def rules(self) -> list[Rule]:
        """The rules the gate holds this source against."""
        return [rule for kind in KINDS for rule in self.protocol.rules_for(kind, self.source.id)]

    @property
    def as_of(self) -> date:
        """The day the analysis looks back from: a setting, else the study page's; never the clock."""
        return self.settings.as_of or self.protocol.study.as_of

    def review_on(self, wh: Warehouse) -> date:
        """The day on which waivers must be valid: a setting, else the day of the newest delivery, else `as_of`."""
        return self.settings.review_on or newest_delivery(wh, self.source) or self.as_of

    def contract(self, table: str) -> type[Contract] | None:
        """The contract of `schema.name`, or None for a table that has none."""
        schema, name = table.split(".", 1)
        if schema in ("staging", "core"):
            return KINDS.get(name)
        return MARTS[self.settings.study].get(name) if schema == "marts" else None


def promised_columns(study: str) -> dict[str, list[str]]:
    """Every table a rule or criterion may speak of, with its promised columns."""
    tables = {**KINDS, **MARTS[study]}
    return {name: [promise.name for promise in promises(contract)] for name, contract in tables.items()}
