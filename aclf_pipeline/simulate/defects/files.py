"""Damage to whole files that does not block: an extra column, an unknown file, files and batches sent again.

Not here: blocking damage (`blocking`).
"""

from __future__ import annotations

import io
import zipfile

import polars as pl

from ..clock import BATCHES, day
from ..delivery import Delivered, Folder
from .plan import Plan

EXTRA_FILE = "病案首页_2012-2018.csv"
# Kind sent again, batch that repeats it, and whether under another name.
_RESENT = (("检验结果", 1, False), ("影像", 2, True))
_RESENT_BATCH = ("20190301_incr", day(2019, 3, 1), 1)


def column_extra(file: Delivered, plan: Plan) -> Delivered:
    """An unlisted column at the end: the insurance number."""
    if file.name != EXTRA_FILE:
        return file
    rng = plan.rng("column_extra")
    numbers = [f"YB{int(n):09d}" for n in rng.integers(0, 10**9, file.frame.height)]
    file.frame = file.frame.with_columns(pl.Series("YBH", numbers))
    plan.note(plan.event("column_extra", "flag", level="file"), file.path, column="YBH")
    return file


def unknown_file(folder: Folder, plan: Plan) -> None:
    """A file of no listed kind, in the manifest like any other."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("说明.txt", (2018, 10, 15, 8, 0, 0)), "模拟文件，无内容。")
    folder.put(0, "病例照片.zip", stream.getvalue(), 0)
    plan.note(plan.event("file_unknown", "flag", level="file"), f"{BATCHES[0].name}/病例照片.zip")


def resent_files(folder: Folder, plan: Plan) -> None:
    """Two files of the full batch again, one under its own name, one under another."""
    for kind, batch, renamed in _RESENT:
        first = next(w for w in folder.written if w.batch == 0 and w.name.startswith(kind))
        name = first.name
        again = name.replace(kind, f"{kind}_重发") if renamed else name
        data = (folder.exports / BATCHES[0].name / name).read_bytes()
        folder.put(batch, again, data, first.rows)
        event = plan.event("file_resent_identical", "repair", level="file")
        plan.note(event, f"{BATCHES[batch].name}/{again}", before=f"{BATCHES[0].name}/{name}")


def resent_batch(folder: Folder, plan: Plan) -> None:
    """A whole batch again in a new folder."""
    name, sent, of = _RESENT_BATCH
    files = [w for w in folder.written if w.batch == of]
    folder.put_again(name, sent, BATCHES[of].cutoff, files)
    plan.note(plan.event("batch_resent", "repair", level="file"), name, before=BATCHES[of].name)
