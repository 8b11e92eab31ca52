"""Write a whole bundle: exports, truth, and the note that all of it is invented.

Not here: any content; this module only calls the rooms in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from . import front_page, ledger
from .assessments import build_assessments
from .clock import BATCHES
from .deaths import build_deaths, draw_notices, shown_dates
from .defects import KindTable, Plan, plant_labs, plant_rows
from .defects import files as whole_files
from .defects.blocking import break_bytes, break_content, break_transport
from .defects.stays_level import StayLevel
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
from .profiles import CLEAN, blocking_of, check_profile
from .rows import Kind, Row
from .streams import stream
from .trajectories import Encounters, build_encounters
from .treatments import Treatment, build_treatments
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
    """What was written: data rows per kind over all batches (workbooks: newest), instances per defect and habit id."""

    root: Path
    profile: str
    n_persons: int
    n_eligible: int
    rows: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    habits: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Rooms:
    """Everything a bundle is written from, before damage to rows."""

    world: World
    enc: Encounters
    tubes: Tubes
    treatments: list[Treatment]
    files: list[Delivered]
    calls: list[Call]
    call_cells: dict[int, list[TypedCell]]
    ledger: list[LedgerRow]
    patients: pl.DataFrame


def build_rooms(world: World, findings: Findings) -> Rooms:
    """All rows but the laboratory's, and the truth about persons."""
    treatments = build_treatments(world)
    enc = build_encounters(world)
    tubes = build_tubes(world, enc, treatments)
    pages = front_page.build_front_pages(world, treatments)
    numbered = {row.person for row in pages.rows if len(_cell(row, pages, "SFZH") or "-") > 1}
    notices = draw_notices(world)
    imaging = build_imaging(world, findings)
    calls = build_calls(world)
    rng = stream(world.seed, "call-cells")
    cells = {call.uid: call_cells(call, rng) for call in calls}
    evidence = last_evidence(world, enc, tubes, imaging, calls)
    patients = patients_frame(world, shown_dates(notices), calls, evidence)
    builders = (
        lambda: pages, lambda: build_orders(world, treatments), lambda: build_procedures(world, treatments),
        lambda: build_assessments(world, findings), lambda: build_vitals(world), lambda: imaging,
        lambda: build_deaths(world, notices, numbered),
    )  # fmt: skip
    files = [file for build in builders for file in build().deliver()]
    return Rooms(world, enc, tubes, treatments, files, calls, cells, build_ledger(world), patients)


def _cell(row: Row, kind: Kind, name: str) -> str | None:
    return row.cells[kind.forms[row.file].columns.index(name)]


class Labs:
    """The laboratory's long table with habits, and its files one at a time."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        world, enc, tubes = rooms.world, rooms.enc, rooms.tubes
        self.printer = Printer(world, enc, tubes)
        long = self.printer.long_table(measure(world, enc, tubes, rooms.treatments))
        self.long, self.records = apply_habits(long, tubes, world.seed)

    def plant(self, plan: Plan, hit: list[int]) -> None:
        """Plan damage; `hit` are persons with a row after death in another kind."""
        rooms = self.rooms
        plant_labs(self.long, self.records, rooms.tubes, rooms.enc, rooms.world, plan, hit)

    def files(self, findings: Findings) -> Iterator[Delivered]:
        """Files in order, habits recorded."""
        rooms = self.rooms
        for file in LabFiles(rooms.world, rooms.enc, rooms.tubes, self.printer, self.long).files():
            record_habits(file, self.records, findings)
            yield file


class Bundle:
    """Writes files one by one and keeps count."""

    def __init__(self, root: Path, findings: Findings, plan: Plan, broken: str | None) -> None:
        self.folder = Folder(root)
        self.findings, self.plan, self.broken = findings, plan, broken
        self.rows: dict[str, int] = {}

    def csv(self, file: Delivered) -> None:
        """Damage as planned, write one CSV file and fill in the lines of its findings."""
        file = self.plan.amend(file)
        if self.broken is not None:
            file = break_content(file, self.broken, self.plan)
        data = encode(file)
        if self.broken is not None:
            data = break_bytes(file, data, self.broken, self.plan)
        self.folder.put(file.batch, file.name, data, file.frame.height)
        self.rows[file.kind] = self.rows.get(file.kind, 0) + file.frame.height
        if self.findings.waiting(file.path):
            lines = np.asarray(physical_lines(file.frame)).tolist()
            self.findings.resolve(file.path, file.frame.get_column("_u").to_list(), lines)

    def workbook(self, kind: str, batch: int, laid: Laid) -> None:
        """Write one workbook."""
        name = f"{kind}_{BATCHES[batch].stamp}.xlsx" if batch else f"{kind}.xlsx"
        self.folder.put(batch, name, laid.data, laid.rows)
        self.rows[kind] = laid.rows
        self.findings.resolve(f"{BATCHES[batch].name}/{name}", laid.uids, laid.lines, laid.sheets)

    def workbooks(self, rooms: Rooms) -> None:
        """Both workbooks of every batch."""
        for batch in range(len(BATCHES)):
            self.workbook(ledger.KIND, batch, lay_out_ledger(rooms.ledger, batch))
            self.workbook(CALLS, batch, lay_out_calls(rooms.calls, rooms.call_cells, batch))


def _damage(rooms: Rooms, levels: StayLevel, plan: Plan) -> list[int]:
    """Plan everything of profile `standard` that falls on rows of other kinds than the laboratory's."""
    tables = {kind: KindTable(kind, rooms.files) for kind in dict.fromkeys(file.kind for file in rooms.files)}
    levels.record(tables, plan)
    return plant_rows(tables, rooms.ledger, rooms.calls, rooms.call_cells, rooms.world, plan)


def write_bundle(
    root: Path, *, n_persons: int = 2500, seed: int = 1, profile: str = CLEAN, rate: float = 1.0
) -> BundleSummary:
    """Write `exports/`, `truth/` and `SIMULATED.txt` under `root`; same arguments, same bytes.

    `rate` multiplies how often each class of damage is planted; a class keeps at least one instance.

    Raises ValueError for an unknown profile, for fewer than 40 persons, and where `root` already holds exports.
    """
    root = Path(root)
    check_profile(profile)
    if (root / "exports").exists():
        raise ValueError(
            f"root asks for a bundle in {root}, which already holds exports. Did you mean an empty folder?"
        )
    world = build_world(n_persons, seed)
    findings, levels = Findings(), StayLevel()
    plan = Plan(seed, n_persons, findings, rate)
    damaged, broken = profile != CLEAN, blocking_of(profile)
    if damaged:
        levels.plant(world, plan)
    rooms = build_rooms(world, findings)
    record_withdrawn(rooms.ledger, rooms.calls, rooms.call_cells, findings)
    hit = _damage(rooms, levels, plan) if damaged else []
    bundle = Bundle(root, findings, plan, broken)
    while rooms.files:
        file = rooms.files.pop(0)
        bundle.csv(whole_files.column_extra(file, plan) if damaged else file)
    labs = Labs(rooms)
    if damaged:
        labs.plant(plan, hit)
    for file in labs.files(findings):
        bundle.csv(file)
    bundle.workbooks(rooms)
    if damaged:
        whole_files.unknown_file(bundle.folder, plan)
        whole_files.resent_files(bundle.folder, plan)
        whole_files.resent_batch(bundle.folder, plan)
    bundle.folder.finish()
    if broken is not None:
        break_transport(bundle.folder, broken, plan)
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
