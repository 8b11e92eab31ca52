"""Blocking damage to a file of the last batch, one kind of damage per profile `broken:<id>`.

Content damage is done before the manifest is written, transport damage after it. Not here: damage a pipeline can live
with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl

from ..clock import BATCHES
from ..delivery import Delivered, Folder, encode
from .plan import Plan

LAST = len(BATCHES) - 1
LABS, PAGES = "检验结果", "病案首页"
_SPECIMENS_THAT_TELL = 3
TRANSPORT: tuple[str, ...] = ("truncated_file", "file_missing")


def _labs(file: Delivered) -> bool:
    return file.batch == LAST and file.kind == LABS


def _note(plan: Plan, defect_id: str, file: Delivered, *, column: str | None = None, before: str | None = None,
          after: str | None = None, row: int | None = None, detectable: bool = True) -> None:  # fmt: skip
    event = plan.event(defect_id, "block", level="file", detectable=detectable)
    plan.note(event, file.path, column=column, before=before, after=after, row=row)


def _column_missing(file: Delivered, plan: Plan) -> None:
    file.frame = file.frame.drop("单位")
    _note(plan, "column_missing", file, column="单位")


def _column_renamed(file: Delivered, plan: Plan) -> None:
    file.frame = file.frame.rename({"结果": "检测值"})
    _note(plan, "column_renamed", file, column="检测值", before="结果", after="检测值")


def _column_swapped(file: Delivered, plan: Plan) -> None:
    file.frame = file.frame.with_columns(pl.col("采集时间").alias("报告时间"), pl.col("报告时间").alias("采集时间"))
    _note(plan, "column_swapped", file, column="采集时间")
    _note(plan, "column_swapped", file, column="报告时间")


def _utc_shift(file: Delivered, plan: Plan) -> None:
    def earlier(text: str) -> str:
        return (datetime.fromisoformat(text) - timedelta(hours=8)).isoformat(sep=" ")

    columns = ["采集时间", "接收时间", "报告时间"]
    file.frame = file.frame.with_columns(pl.col(columns).map_elements(earlier, return_dtype=pl.String))
    # one or two specimens may be of one night
    _note(plan, "utc_shift", file, detectable=file.frame["标本号"].n_unique() >= _SPECIMENS_THAT_TELL)


def _dbil_is_tbil(file: Delivered, plan: Plan) -> None:
    total = (
        file.frame.filter(pl.col("项目代码") == "TBIL")
        .unique("标本号", keep="first")
        .select("标本号", pl.col("结果").alias("_t"))
    )
    joined = file.frame.join(total, on="标本号", how="left", maintain_order="left")
    direct = (pl.col("项目代码") == "DBIL") & pl.col("_t").is_not_null()
    file.frame = joined.with_columns(pl.when(direct).then(pl.col("_t")).otherwise(pl.col("结果")).alias("结果")).drop(
        "_t"
    )
    _note(plan, "dbil_column_is_tbil", file, column="结果")


def _excel(file: Delivered, plan: Plan) -> None:
    number = pl.col("SFZH")
    mangled = pl.when(number.str.len_chars() >= 15).then(pl.lit("9.90101E+17")).otherwise(number)
    dates = [name for name in ("CSRQ", "RYSJ", "CYSJ") if name in file.frame.columns]
    file.frame = file.frame.with_columns(
        mangled.alias("SFZH"),
        pl.col("BAH").str.strip_chars_start("0"),
        *(pl.col(name).str.to_date(strict=False).dt.strftime("%Y/%-m/%-d").fill_null(pl.col(name)) for name in dates),
    )
    _note(plan, "excel_id_scientific", file, column="SFZH")


def _phi_in_name(file: Delivered, plan: Plan) -> None:
    old = file.path
    file.name = "检验结果_张某某_0412873.csv"
    plan.findings.rename(old, file.path)
    _note(plan, "phi_in_filename", file)


CONTENT: dict[str, tuple[str, Callable[[Delivered, Plan], None]]] = {
    "column_missing": (LABS, _column_missing),
    "column_renamed": (LABS, _column_renamed),
    "column_swapped": (LABS, _column_swapped),
    "utc_shift": (LABS, _utc_shift),
    "dbil_column_is_tbil": (LABS, _dbil_is_tbil),
    "phi_in_filename": (LABS, _phi_in_name),
    "excel_id_scientific": (PAGES, _excel),
}
BLOCKING: tuple[str, ...] = (*CONTENT, "wrong_encoding", *TRANSPORT)


def break_content(file: Delivered, defect_id: str, plan: Plan) -> Delivered:
    """Damage the file of the last batch that the defect is about; other files pass."""
    if defect_id in CONTENT and file.batch == LAST and file.kind == CONTENT[defect_id][0]:
        CONTENT[defect_id][1](file, plan)
    return file


def break_bytes(file: Delivered, data: bytes, defect_id: str, plan: Plan) -> bytes:
    """`wrong_encoding`: from the middle of the last batch's laboratory file on, bytes of another encoding."""
    if defect_id != "wrong_encoding" or not _labs(file):
        return data
    half = file.frame.height // 2
    first, second = (
        Delivered(file.batch, file.name, file.kind, file.dialect, part)
        for part in (file.frame[:half], file.frame[half:])
    )
    tail = encode(second).removeprefix(b"\xef\xbb\xbf").decode().encode("gb18030")
    row = int(file.frame.get_column("_u")[half]) if file.frame.height else None
    _note(plan, "wrong_encoding", file, row=row)
    return encode(first) + tail


def break_transport(folder: Folder, defect_id: str, plan: Plan) -> None:
    """Damage on the way: after the manifest was written, so that its hashes no longer hold."""
    if defect_id not in TRANSPORT:
        return
    place = folder.exports / BATCHES[LAST].name
    victim = next(path for path in sorted(place.iterdir()) if path.name.startswith(LABS))
    event = plan.event(defect_id, "block", level="file")
    path = f"{BATCHES[LAST].name}/{victim.name}"
    if defect_id == "truncated_file":
        data = victim.read_bytes()
        cut = data.rstrip(b"\r\n")
        victim.write_bytes(cut[: max(len(cut) * 2 // 3, 200)].rstrip(b"\r\n")[:-3])
    elif defect_id == "file_missing":
        victim.unlink()
    plan.note(event, path)
