"""The plan of damage: which cells change, which rows are added or removed, and the truth about each.

Damage is planned against row ids and carried out file by file, when the text of a cell is known. At most one defect
falls on a row. Not here: what is damaged (the other modules of this folder).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ..clock import t1, t2
from ..delivery import Delivered, as_written
from ..findings import Finding, Findings
from ..lab_files import OLD_NAMES, old_form
from ..population import SCALE_PERSONS
from ..streams import stream


@dataclass(frozen=True, slots=True)
class Event:
    """One planted event: its id, number, level, acceptable actions, and whether any rule could know."""

    defect_id: str
    instance: int
    level: str
    actions: tuple[str, ...]
    detectable: bool = True


@dataclass(frozen=True, slots=True)
class Patch:
    """A changed cell: `text`, or an instant written in the time form of the file."""

    column: str
    text: str | None
    event: Event
    instant: int | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """A copy of a row placed `later` rows below it, with some cells changed."""

    of: int
    uid: int
    changes: dict[str, str | None]
    event: Event
    later: int
    both: bool = False


@dataclass(slots=True)
class Amendments:
    """All damage to the files of one kind, by row id."""

    patches: dict[int, list[Patch]] = field(default_factory=dict)
    additions: dict[int, Addition] = field(default_factory=dict)
    removals: dict[int, Event] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    next_uid: int = 10_000_000


class Plan:
    """Collects damage for all kinds; `rate` multiplies the share of units each class is planted on."""

    def __init__(self, seed: int, n_persons: int, findings: Findings, rate: float = 1.0) -> None:
        self.seed, self.n_persons, self.findings, self.rate = seed, n_persons, findings, rate
        self.kinds: dict[str, Amendments] = {}

    def rng(self, *purpose: str) -> np.random.Generator:
        """A stream of its own for one defect."""
        return stream(self.seed, "defects", *purpose)

    def of(self, kind: str) -> Amendments:
        """Damage of one kind."""
        return self.kinds.setdefault(kind, Amendments())

    def event(self, defect_id: str, *actions: str, level: str = "row", detectable: bool = True) -> Event:
        """A new event."""
        return Event(defect_id, self.findings.instance(), level, actions, detectable)

    def share(self, rate: float, of: int) -> int:
        """How many of so many units are hit, at least one where there are any."""
        return 0 if of == 0 else min(of, max(1, round(self.rate * rate * of)))

    def persons(self, target: int) -> int:
        """A number of persons given at scale 1, scaled, at least one."""
        return max(1, round(self.rate * target * self.n_persons / SCALE_PERSONS))

    def choose(
        self, kind: str, candidates: Sequence[int] | np.ndarray, count: int, rng: np.random.Generator
    ) -> list[int]:
        """Draw untouched rows and mark them as touched."""
        touched = self.of(kind).touched
        order = rng.permutation(len(candidates))
        found: list[int] = []
        for position in order:
            uid = int(candidates[position])
            if len(found) >= count:
                break
            if uid not in touched:
                touched.add(uid)
                found.append(uid)
        return found

    def free(self, kind: str, rows: Iterable[int]) -> bool:
        """Whether none of the rows is touched."""
        return self.of(kind).touched.isdisjoint(rows)

    def touch(self, kind: str, rows: Iterable[int]) -> None:
        """Mark rows as touched."""
        self.of(kind).touched.update(rows)

    def patch(
        self, kind: str, uid: int, column: str, text: str | None, event: Event, instant: int | None = None
    ) -> None:
        """Change one cell."""
        self.of(kind).patches.setdefault(uid, []).append(Patch(column, text, event, instant))

    def add(self, kind: str, of: int, event: Event, later: int, changes: dict[str, str | None] | None = None) -> None:
        """Add a copy of a row; with changes, both copies are at fault."""
        amendments = self.of(kind)
        amendments.next_uid += 1
        amendments.additions[of] = Addition(of, amendments.next_uid, changes or {}, event, later, bool(changes))

    def remove(self, kind: str, uid: int, event: Event) -> None:
        """Remove a row; the truth keeps its cells."""
        self.of(kind).removals[uid] = event

    def amend(self, file: Delivered) -> Delivered:
        """Carry out what is planned for one file and record it."""
        amendments = self.kinds.get(file.kind)
        if amendments is None:
            return file
        uids = file.frame.get_column("_u").to_list()
        places = {uid: i for i, uid in enumerate(uids)}
        patched = [uid for uid in uids if uid in amendments.patches]
        frame = self._patched(file, amendments, patched, places)
        grown = self._grown(file, frame, amendments, uids, places)
        gone = [uid for uid in uids if uid in amendments.removals]
        for uid in gone:
            cells = {name: frame.get_column(name)[places[uid]] for name in file.columns}
            event = amendments.removals[uid]
            person = int(frame.get_column("_p")[places[uid]])
            self._record(event, file.path, None, person, None, json.dumps(cells, ensure_ascii=False), None)
        if gone:
            grown = grown.filter(~pl.col("_u").is_in(gone))
        file.frame = grown
        return file

    def _patched(
        self, file: Delivered, amendments: Amendments, rows: list[int], places: dict[int, int]
    ) -> pl.DataFrame:
        frame, old = file.frame, file.kind == "检验结果" and old_form(file)
        changes: dict[str, list[tuple[int, str | None]]] = {}
        persons = frame.get_column("_p")
        for uid in rows:
            place = places[uid]
            for patch in amendments.patches[uid]:
                column = OLD_NAMES.get(patch.column, patch.column) if old else patch.column
                text = patch.text
                if patch.instant is not None:
                    text = (t2 if old else t1)(patch.instant)
                before = frame.get_column(column)[place]
                changes.setdefault(column, []).append((place, text))
                self._record(patch.event, file.path, uid, int(persons[place]), column, before, text)
        for column, cells in changes.items():
            at, texts = zip(*cells, strict=True)
            frame = frame.with_columns(frame.get_column(column).scatter(list(at), list(texts)))
        return frame

    def _grown(
        self, file: Delivered, frame: pl.DataFrame, amendments: Amendments, uids: list[int], places: dict[int, int]
    ) -> pl.DataFrame:
        wanted = [amendments.additions[uid] for uid in uids if uid in amendments.additions]
        if not wanted:
            return frame
        copies, keys = [], []
        for addition in wanted:
            place = places[addition.of]
            copy = frame[place].with_columns(pl.lit(addition.uid, dtype=pl.Int64).alias("_u"))
            copy = copy.with_columns(*(pl.lit(v, dtype=pl.String).alias(k) for k, v in addition.changes.items()))
            copies.append(copy)
            keys.append(min(place + addition.later, frame.height - 1) + 0.5)
            person = int(frame.get_column("_p")[place])
            if addition.both:
                for column, text in addition.changes.items():
                    own = frame.get_column(column)[place]
                    self._record(addition.event, file.path, addition.of, person, column, own, own)
                    self._record(addition.event, file.path, addition.uid, person, column, f"row:{addition.of}", text)
            else:
                self._record(addition.event, file.path, addition.uid, person, None, f"row:{addition.of}", None)
        grown = pl.concat([frame, *copies]).with_columns(
            pl.Series("_k", np.concatenate([np.arange(frame.height, dtype=float), keys]))
        )
        return grown.sort("_k", maintain_order=True).drop("_k")

    def _record(
        self, event: Event, file: str, row: int | None, person: int | None, column: str | None, before: str | None,
        after: str | None,
    ) -> None:  # fmt: skip
        self.findings.add(
            Finding(
                event.defect_id, file, row, person, column, before, as_written(after), event.instance, event.level,
                event.actions, detectable=event.detectable,
            )
        )  # fmt: skip

    def note(self, event: Event, file: str, *, person: int | None = None, column: str | None = None,
             before: str | None = None, after: str | None = None, row: int | None = None) -> None:  # fmt: skip
        """Record an event whose damage is done elsewhere."""
        self._record(event, file, row, person, column, before, after)
