"""Contracts and pages in forms that others read: an ODCS document per study, and versions of the protocol to compare.

What does not belong here: the form of a document (quality/odcs.py) and what a change means (protocol/diff.py).
"""

from __future__ import annotations

from pathlib import Path

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.site import replace_page
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol import Protocol, load_protocol
from aclf_pipeline.protocol.diff import Snapshot, snapshot_of_text
from aclf_pipeline.protocol.reader import studies
from aclf_pipeline.quality.audits import asked_text
from aclf_pipeline.quality.odcs import as_yaml, document, fingerprints_of, read_document, tables_of
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.graph import load_audits

CONTRACT, PAGES = "contract.odcs.yaml", "protocol.json"
"""What a release keeps of what it was made by: the promised tables with their rules, and all pages."""


def export_contracts(settings: Settings, folder: Path) -> list[Path]:
    """Write one document per study with its source, for every study of the protocol; gives the files."""
    written = []
    for study in studies(settings.protocol):
        given = settings.model_copy(update={"study": study, "source": _source_of(settings, study)})
        house = House.load(given)
        name = f"{house.source.id}_{study}.odcs.yaml"
        written.append(replace_page(folder / name, _contract(house, str(given.warehouse))))
    return written


def write_exchange(house: House) -> dict[str, Path]:
    """Write what a release keeps beside its tables; name → file. The warehouse stands in it by its name alone."""
    folder = house.settings.reports
    return {
        CONTRACT: replace_page(folder / CONTRACT, _contract(house, house.settings.warehouse.name)),
        PAGES: replace_page(folder / PAGES, house.protocol.canonical),
    }


def snapshot_at(settings: Settings, path: Path) -> Snapshot:
    """A version of the protocol: a folder of pages with the contracts and audits in use, a release, or its pages alone.

    Raises UserError when there is none at the path, ProtocolError when pages cannot be read.
    """
    if path.is_file():
        return snapshot_of_text(str(path), path.read_text("utf-8"))
    if (path / PAGES).is_file():
        kept = read_document(path / CONTRACT) if (path / CONTRACT).is_file() else None
        return snapshot_of_text(
            path.name,
            (path / PAGES).read_text("utf-8"),
            None if kept is None else tables_of(kept),
            None if kept is None else fingerprints_of(kept),
        )
    if (path / "rules.yaml").is_file():
        protocol = load_protocol(path, settings.study)
        audits = load_audits(settings.sql)
        content = _document(protocol, audits, settings.source, settings.warehouse.name, {})
        return snapshot_of_text(str(path), protocol.canonical, tables_of(content), fingerprints_of(content))
    if (path / "manifest.json").is_file():
        raise UserError(f"protocol diff: release '{path.name}' was made before releases kept their pages.")
    raise UserError(f"protocol diff: '{path}' is neither a folder of pages nor a release nor a {PAGES} of one.")


def _source_of(settings: Settings, study: str) -> str:
    return load_protocol(settings.protocol, study).study.source


def _contract(house: House, database: str) -> str:
    return as_yaml(_document(house.protocol, house.audits, house.source.id, database, dict(house.source.absent)))


def _document(
    protocol: Protocol, audits: dict[str, str], source: str, database: str, absent: dict[str, str]
) -> dict[str, object]:
    marts = MARTS.get(protocol.study.id, {})
    prints = {
        rule.id: rule.fingerprint if rule.holds else rule.fingerprint_with(asked_text(audits, rule.id))
        for rule in protocol.rules.values()
    }
    return document(
        protocol, KINDS, marts, audits, source=source, database=database, fingerprints=prints, absent=absent
    )
