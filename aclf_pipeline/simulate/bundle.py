"""Write a whole bundle: exports, truth, and the note that all of it is invented.

Not here: any content; this module only calls the rooms in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from . import front_page, ledger
from .assessments import build_assessments
from .clock import BATCHES
from .deaths import build_deaths, draw_notices, shown_dates
from .delivery import Delivered, Folder, encode, physical_lines
from .findings import Findings
from .followup import KIND as CALLS
from .followup import Call, TypedCell, build_calls, call_cells
from .imaging import build_imaging
from .lab_files import LabFiles, record_habits
from .lab_habits import apply_habits
from .lab_tubes import Tubes, build_tubes
from .lab_values import measure
from .labs import Printer
from .ledger import LedgerRow, build_ledger
from .orders import build_orders
from .procedures import build_procedures
from .profiles import check_profile
from .rows import Kind
from .streams import stream
from .trajectories import Encounters, build_encounters
from .treatments import build_treatments
from .truth import defects_frame, last_evidence, patients_frame, write_truth
from .vitals import build_vitals
from .withdrawn import record_withdrawn
from .workbooks import Laid, lay_out_calls, lay_out_ledger
from .world import World, build_world

NOTICE = """SYNTHETIC DATA / 模拟数据

Every person, name, number, address, result and event in this bundle is invented by a simulator. None of it comes from
a hospital; any likeness to a real person is chance. Identity numbers use the region prefix 990101, which is no place.
此包中的所有人员、姓名、号码、地址、结果和事件均由模拟程序虚构，不含任何真实患者信息。

exports/his  the exports as a hospital information system would deliver them
truth        what is true, and what was planted where; for tests and benchmarks only
seed {seed}, profile {profile}, persons {n_persons}
Whatever is shown from this bundle is to be marked synthetic.
"""


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """What was written: data rows per kind over all batches, and planted instances per defect id (habits apart)."""

    root: Path
    profile: str
    n_persons: int
    n_eligible: int
    rows: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    habits: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Rooms:
    """Everything a bundle is written from, labs apart."""

    world: World
    enc: Encounters
    tubes: Tubes
    kinds: list[Kind]
    calls: list[Call]
    call_cells: dict[int, list[TypedCell]]
    ledger: list[LedgerRow]
    patients: pl.DataFrame


def build_rooms(world: World, findings: Findings) -> tuple[Rooms, list[Any]]:
    """All rows but the laboratory's; returns the treatments too."""
    treatments = build_treatments(world)
    enc = build_encounters(world)
    tubes = build_tubes(world, enc, treatments)
    pages = front_page.build_front_pages(world, treatments)
    numbers = {row.person for row in pages.rows if len(str(_cell(row, pages, "SFZH") or "-")) > 1}
    notices = draw_notices(world)
    imaging = build_imaging(world, findings)
    calls = build_calls(world)
    kinds = [
        pages, build_orders(world, treatments), build_procedures(world, treatments), build_assessments(world, findings),
        build_vitals(world), imaging, build_deaths(world, notices, numbers),
    ]  # fmt: skip
    rng = stream(world.seed, "call-cells")
    cells = {call.uid: call_cells(call, rng) for call in calls}
    bahs: dict[int, list[str]] = {person.idx: [] for person in world.persons}
    for stay in world.stays:
        if stay.bah not in bahs[stay.person]:
            bahs[stay.person].append(stay.bah)
    evidence = last_evidence(world, enc, tubes, imaging, calls)
    patients = patients_frame(world, shown_dates(notices), calls, evidence, bahs)
    return Rooms(world, enc, tubes, kinds, calls, cells, build_ledger(world), patients), treatments


def _cell(row: Any, kind: Kind, name: str) -> str | None:
    return row.cells[kind.forms[row.file].columns.index(name)]


def lab_files(rooms: Rooms, treatments: list[Any], findings: Findings) -> Iterator[Delivered]:
    """Laboratory files, one at a time, habits recorded."""
    world, enc, tubes = rooms.world, rooms.enc, rooms.tubes
    printer = Printer(world, enc, tubes)
    long = printer.long_table(measure(world, enc, tubes, treatments))
    long, records = apply_habits(long, tubes, world.seed)
    for file in LabFiles(world, enc, tubes, printer, long).files():
        record_habits(file, records, findings)
        yield file


class Bundle:
    """Writes files one by one and keeps count."""

    def __init__(self, root: Path, findings: Findings) -> None:
        self.folder = Folder(root)
        self.findings = findings
        self.rows: dict[str, int] = {}

    def csv(self, file: Delivered) -> None:
        """Write one CSV file and fill in the lines of its findings."""
        self.folder.put(file.batch, file.name, encode(file), file.frame.height)
        self.rows[file.kind] = self.rows.get(file.kind, 0) + file.frame.height
        if self.findings.waiting(file.path):
            lines = physical_lines(file.frame)
            self.findings.resolve(file.path, file.frame.get_column("_u").to_list(), np.asarray(lines).tolist())

    def workbook(self, kind: str, batch: int, laid: Laid) -> None:
        """Write one workbook."""
        name = f"{kind}_{BATCHES[batch].stamp}.xlsx" if batch else f"{kind}.xlsx"
        self.folder.put(batch, name, laid.data, laid.rows)
        self.rows[kind] = laid.rows
        self.findings.resolve(f"{BATCHES[batch].name}/{name}", laid.uids, laid.lines, laid.sheets)


def write_bundle(root: Path, *, n_persons: int = 2500, seed: int = 1, profile: str = "clean") -> BundleSummary:
    """Write `exports/`, `truth/` and `SIMULATED.txt` under `root`; same arguments, same bytes.

    Raises ValueError for an unknown profile, for fewer than 40 persons, and where `root` already holds exports.
    """
    root = Path(root)
    check_profile(profile)
    if (root / "exports").exists():
        raise ValueError(
            f"root asks for a bundle in {root}, which already holds exports. Did you mean an empty folder?"
        )
    world = build_world(n_persons, seed)
    findings = Findings()
    bundle = Bundle(root, findings)
    rooms, treatments = build_rooms(world, findings)
    record_withdrawn(rooms.ledger, rooms.calls, rooms.call_cells, findings)
    for kind in rooms.kinds:
        for file in kind.deliver():
            bundle.csv(file)
    for file in lab_files(rooms, treatments, findings):
        bundle.csv(file)
    for batch in range(len(BATCHES)):
        bundle.workbook(ledger.KIND, batch, lay_out_ledger(rooms.ledger, batch))
        bundle.workbook(CALLS, batch, lay_out_calls(rooms.calls, rooms.call_cells, batch))
    bundle.folder.finish()
    write_truth(root, rooms.patients, defects_frame(findings), world, profile)
    note = NOTICE.format(seed=seed, profile=profile, n_persons=n_persons)
    (root / "SIMULATED.txt").write_text(note, encoding="utf-8")
    return _summary(root, profile, world, bundle)


def _summary(root: Path, profile: str, world: World, bundle: Bundle) -> BundleSummary:
    counted: dict[bool, dict[str, set[int]]] = {True: {}, False: {}}
    for finding in bundle.findings.entries:
        counted[finding.habit].setdefault(finding.defect_id, set()).add(finding.instance)
    eligible = sum(not person.reasons for person in world.persons)
    defects, habits = ({name: len(found) for name, found in sorted(counted[h].items())} for h in (False, True))
    return BundleSummary(root, profile, world.n_persons, eligible, dict(sorted(bundle.rows.items())), defects, habits)
