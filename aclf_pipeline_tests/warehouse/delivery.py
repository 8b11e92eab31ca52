"""A small source of its own, and deliveries of it written to disk: what the tests of the way in share.

What does not belong here: expectations; each test states its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from aclf_pipeline.warehouse import Warehouse
from aclf_pipeline.warehouse.ingest import IngestReport, ingest
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.sources import Source, load_source

KEY = PseudonymKey(bytes(range(32)))
CLOCK = datetime(2019, 12, 1, 12)
MANIFEST = "导出清单.csv"

PAGE = r"""
id: toy
says: A hospital in a test
batches:
  folder: '(?P<date>\d{8})_(?P<type>full|incr)(?:_r(?P<n>\d+))?'
  complete_when: 导出清单.csv
  manifest: {file: 导出清单.csv, name: 文件名, bytes: 字节数, rows: 行数, sha256: SHA256}
blanks: ['', '-', '--', '—', '/', 'NULL', '无数据']
identifiers: {record_number: {pattern: '\d{7}', pad: 7}, national_id: {}, name: {}}
files:
  pages:
    kind: 首页
    says: Front pages
    format: csv
    form_has: [LYFS]
    columns:
      - {name: BAH, phi: K, as: record_number}
      - {name: XM, phi: K, as: name}
      - {name: CSRQ, phi: Q}
      - {name: SFZH, phi: K, as: national_id}
      - {name: DH, phi: D}
      - {name: LYFS}
  old_pages:
    kind: 首页
    says: Front pages of the old form
    format: csv
    form_has: [CYQK]
    columns:
      - {name: BAH, phi: K, as: record_number}
      - {name: XM, phi: K, as: name}
      - {name: CSRQ, phi: Q}
      - {name: CYQK}
  labs:
    kind: 检验
    says: Results
    format: csv
    columns:
      - {name: 标本号, aliases: [条码号], phi: A}
      - {name: 病案号, aliases: [住院号], phi: K, as: record_number}
      - {name: 姓名, phi: K, as: name}
      - {name: 结果, aliases: [检验结果]}
      - {name: 单位}
      - {name: 备注, phi: F}
  support:
    kind: 人工肝
    says: Procedures
    format: tsv
    columns:
      - {name: 流水号, phi: A}
      - {name: 病案号, phi: K, as: record_number}
      - {name: 备注, phi: F}
  ledger:
    kind: 输注
    says: Infusions
    format: xlsx
    snapshot: true
    sheets: {pattern: '\d{4}年', header_row: 3, totals: 合计, fill_down_merged: true}
    columns:
      - {name: 序号}
      - {name: 病案号, phi: K, as: record_number}
      - {name: 姓名, phi: K, as: name}
      - {name: 体重(kg), required: false}
      - {name: 输注日期}
      - {name: 备注, phi: F, required: false}
  calls:
    kind: 随访
    says: Follow-up calls
    format: xlsx
    snapshot: true
    sheets: {has_columns: [病案号, 生存状态], header_row: 2}
    columns:
      - {name: 病案号, phi: K, as: record_number}
      - {name: 生存状态}
  signs:
    kind: 体征
    says: Signs
    format: parquet
    columns:
      - {name: 病案号, phi: K, as: record_number}
      - {name: 时间}
      - {name: 值}
absent: {}
"""
LAB_HEADER = ["标本号", "病案号", "姓名", "结果", "单位", "备注"]
PAGE_HEADER = ["BAH", "XM", "CSRQ", "SFZH", "DH", "LYFS"]


def toy_source(tmp_path: Path) -> Source:
    folder = tmp_path / "sql" / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.yaml").write_text(PAGE, "utf-8")
    return load_source(folder)


def csv_bytes(
    rows: Iterable[Sequence[str]], *, encoding: str = "utf-8-sig", line_end: str = "\r\n", delimiter: str = ","
) -> bytes:
    """Rows as the hospital writes them: minimal quoting, a line end after the last."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return out.getvalue().encode(encoding)


def labs(*rows: Sequence[str]) -> bytes:
    """A file of results; the header goes before."""
    return csv_bytes([LAB_HEADER, *rows])


def lab(number: int, *, bah: str = "0412873", name: str = "王小明", result: str = "12.5", note: str = "") -> list[str]:
    return [f"{number:012d}", bah, name, result, "μmol/L", note]


class Hospital:
    """An exports folder and a warehouse beside it."""

    def __init__(self, tmp_path: Path) -> None:
        self.source = toy_source(tmp_path)
        self.exports = tmp_path / "exports"
        self.exports.mkdir()
        self.path = tmp_path / "toy.duckdb"

    def deliver(
        self, batch: str, files: dict[str, bytes], *, rows: dict[str, int] | None = None, manifest: bool = True
    ) -> Path:
        """Write a batch; its manifest last, as hospitals do. `rows` states the manifest's row counts."""
        folder = self.exports / batch
        folder.mkdir()
        lines = [["文件名", "字节数", "行数", "SHA256", "导出时间", "数据截止"]]
        for name, data in files.items():
            (folder / name).write_bytes(data)
            count = str((rows or {}).get(name, ""))
            lines.append([name, str(len(data)), count, hashlib.sha256(data).hexdigest(), "2019-01-15 00:00:00", ""])
        if manifest:
            (folder / MANIFEST).write_bytes(csv_bytes(lines))
        return folder

    def open(self) -> Warehouse:
        return Warehouse.open(self.path)

    def ingest(self, wh: Warehouse) -> IngestReport:
        return ingest(wh, self.source, self.exports, KEY, CLOCK)


def states(report: IngestReport) -> dict[str, str]:
    return {batch.name: batch.state for batch in report.batches}


def rules(report: IngestReport) -> list[str]:
    return [problem.rule_id for batch in report.batches for problem in batch.problems]
