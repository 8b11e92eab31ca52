"""The files of one text kind, for choosing what to damage.

Not here: damage.
"""

from __future__ import annotations

from ..delivery import Delivered


class KindTable:
    """Rows of all files of a kind by row id; reads the text as it is before damage."""

    def __init__(self, kind: str, files: list[Delivered]) -> None:
        self.kind = kind
        self.files = [file for file in files if file.kind == kind]
        self.places: dict[int, tuple[int, int]] = {}
        self.uids: list[int] = []
        for f, file in enumerate(self.files):
            for i, uid in enumerate(file.frame.get_column("_u").to_list()):
                self.places[uid] = (f, i)
                self.uids.append(uid)

    def get(self, uid: int, column: str) -> str | None:
        """Text of a cell; None where it is blank or the file has no such column."""
        f, i = self.places[uid]
        frame = self.files[f].frame
        return frame.get_column(column)[i] if column in frame.columns else None

    def has(self, uid: int, column: str) -> bool:
        """Whether the row's file has the column."""
        return column in self.files[self.places[uid][0]].frame.columns

    def person(self, uid: int) -> int:
        """Position of the person a row belongs to."""
        f, i = self.places[uid]
        return int(self.files[f].frame.get_column("_p")[i])

    def file(self, uid: int) -> Delivered:
        """File that holds a row."""
        return self.files[self.places[uid][0]]

    def where(self, column: str, *values: str) -> list[int]:
        """Row ids whose cell is one of the values."""
        found: list[int] = []
        for file in self.files:
            if column in file.frame.columns:
                keep = file.frame.get_column(column).is_in(list(values)).fill_null(False)
                found += file.frame.filter(keep).get_column("_u").to_list()
        return found

    def starting(self, column: str, prefix: str) -> list[int]:
        """Row ids whose cell begins with a prefix."""
        found: list[int] = []
        for file in self.files:
            if column in file.frame.columns:
                keep = file.frame.get_column(column).str.starts_with(prefix).fill_null(False)
                found += file.frame.filter(keep).get_column("_u").to_list()
        return found

    def of_person(self, person: int) -> list[int]:
        """Row ids of one person, in order of file."""
        found: list[int] = []
        for file in self.files:
            found += file.frame.filter(file.frame.get_column("_p") == person).get_column("_u").to_list()
        return found
