"""The bundle as a whole: reproducible bytes, manifests, encodings, physical lines, habits."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.simulate import write_bundle
from aclf_pipeline.simulate.findings import HABITS

from .reading import Text, kind, read_text, sheet_rows

# file name pattern | encoding | BOM | line end | all quoted | columns
DIALECTS = """
导出清单.csv                 | utf-8     | yes | CRLF | no  | 6
病案首页_2010-2011.csv       | gb18030   | no  | CRLF | no  | 79
病案首页_2012-2018.csv       | gb18030   | no  | CRLF | no  | 99
病案首页_增量_20190115.csv   | gb18030   | no  | CRLF | no  | 99
检验结果_2010.csv            | gb18030   | no  | CRLF | no  | 21
检验结果_2012.csv            | gb18030   | no  | CRLF | no  | 21
检验结果_2013.csv            | utf-8     | yes | CRLF | no  | 21
检验结果_2015.csv            | utf-8     | yes | CRLF | no  | 21
检验结果_2016.csv            | gb18030   | no  | LF   | no  | 21
检验结果_2017.csv            | gb18030   | no  | LF   | no  | 21
检验结果_2018.csv.gz         | utf-8     | yes | LF   | no  | 21
检验结果_增量_20190115.csv   | utf-8     | yes | CRLF | no  | 21
医嘱_2010-2013.csv           | gb18030   | no  | CRLF | yes | 21
医嘱_2014-2018.csv           | utf-8     | yes | CRLF | no  | 21
医嘱_增量_20190115.csv       | utf-8     | yes | CRLF | no  | 21
人工肝治疗_2010-2018.txt     | utf-16-le | yes | CRLF | no  | 13
病程评估_2010-2018.csv       | utf-8     | yes | CRLF | yes | 20
生命体征_2010-2018.csv       | utf-8     | no  | LF   | no  | 15
影像_2010-2018.csv           | gb18030   | no  | CRLF | no  | 11
死亡登记_2010-2018.csv       | gb18030   | no  | CRLF | no  | 13
"""
_ROWS = [[cell.strip() for cell in line.split("|")] for line in DIALECTS.strip().splitlines()]
BATCHES = ["20181015_full", "20190115_incr", "20190715_incr", "20191115_incr"]


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / name, n_persons=60, seed=4)
    write_bundle(tmp_path / "c", n_persons=60, seed=5)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    other = tree(tmp_path / "c")
    same = [name for name, digest in tree(tmp_path / "a").items() if other.get(name) == digest]
    assert same == []


def test_layout_and_notice(clean: Path) -> None:
    assert sorted(p.name for p in (clean / "exports" / "his").iterdir()) == BATCHES
    assert sorted(p.name for p in (clean / "truth").iterdir()) == ["defects.parquet", "model.json", "patients.parquet"]
    notice = (clean / "SIMULATED.txt").read_text(encoding="utf-8")
    assert "SYNTHETIC" in notice
    assert "invented" in notice


@pytest.mark.parametrize("row", _ROWS, ids=[row[0] for row in _ROWS])
def test_each_file_has_its_dialect(clean: Path, row: list[str]) -> None:
    name, encoding, bom, line_end, quoted, columns = row
    path = next((clean / "exports" / "his").glob(f"*/{name}"))
    found = read_text(path)
    assert found.encoding == encoding
    assert found.bom is (bom == "yes")
    assert len(found.header) == int(columns)
    ends = found.text.count("\r\n")
    inside = sum(cell.count("\n") for record in found.records for cell in record)
    assert found.text.count("\n") - ends == (inside if line_end == "CRLF" else found.text.count("\n"))
    assert found.text.endswith("\r\n" if line_end == "CRLF" else "\n")
    first = found.text.splitlines()[1]
    assert first.startswith('"') is (quoted == "yes")
    if quoted == "no":
        assert '""' not in found.text


def test_gzip_is_one_member_without_time(clean: Path) -> None:
    data = (clean / "exports/his/20181015_full/检验结果_2018.csv.gz").read_bytes()
    assert data[:4] == b"\x1f\x8b\x08\x00"
    assert data[4:8] == b"\0\0\0\0"
    assert gzip.decompress(data)[:3] == b"\xef\xbb\xbf"


@pytest.mark.parametrize("batch", BATCHES)
def test_manifest_tells_the_truth(clean: Path, batch: str) -> None:
    folder = clean / "exports" / "his" / batch
    manifest = read_text(folder / "导出清单.csv")
    assert manifest.header == ["文件名", "字节数", "行数", "SHA256", "导出时间", "数据截止"]
    listed = {record[0]: record for record in manifest.records}
    assert set(listed) == {path.name for path in folder.iterdir()} - {"导出清单.csv"}
    for name, record in listed.items():
        data = (folder / name).read_bytes()
        assert int(record[1]) == len(data)
        assert record[3] == hashlib.sha256(data).hexdigest()
        assert int(record[2]) == _data_rows(folder / name)


def _data_rows(path: Path) -> int:
    if path.suffix != ".xlsx":
        return len(read_text(path).records)
    ledger = path.name.startswith("干细胞")
    sheets = sheet_rows(path, 3 if ledger else 2)
    rows = [row for _, found in sheets.values() for _, row in found]
    if ledger:
        return sum(1 for row in rows if row[0] not in (None, "合计"))
    return sum(1 for title, (_, found) in sheets.items() if title != "说明" for _, row in found if row[1] is not None)


def test_no_file_is_the_same_as_another(clean: Path) -> None:
    digests = list(tree(clean / "exports").values())
    assert len(digests) == len(set(digests))


def test_every_record_has_the_width_of_its_header(clean: Path) -> None:
    for path in (clean / "exports" / "his").glob("*/*.*"):
        if path.suffix != ".xlsx":
            found: Text = read_text(path)
            assert {len(record) for record in found.records} <= {len(found.header)}, path.name


def test_clean_has_habits_and_nothing_else(clean: Path) -> None:
    planted = pl.read_parquet(clean / "truth" / "defects.parquet")
    assert planted.get_column("habit").all()
    assert set(planted.get_column("defect_id")) == set(HABITS)


def test_habits_stand_where_the_truth_says(clean: Path) -> None:
    planted = pl.read_parquet(clean / "truth" / "defects.parquet").filter(
        pl.col("line").is_not_null(), pl.col("sheet").is_null()
    )
    assert planted.height > 500
    for (file,), rows in planted.group_by("file"):
        found = read_text(clean / "exports" / "his" / str(file))
        at = {
            line: dict(zip(found.header, record, strict=True))
            for line, record in zip(found.lines, found.records, strict=True)
        }
        for line, column, corrupted in rows.select("line", "column", "corrupted_value").iter_rows():
            assert at[line][column] == corrupted


def test_months_in_the_workbook_stand_where_the_truth_says(clean: Path) -> None:
    planted = pl.read_parquet(clean / "truth" / "defects.parquet").filter(
        pl.col("sheet").is_not_null(), pl.col("line").is_not_null()
    )
    for file, sheet, line, column, corrupted in planted.select(
        "file", "sheet", "line", "column", "corrupted_value"
    ).iter_rows():
        header, rows = sheet_rows(clean / "exports" / "his" / file, 2)[sheet]
        assert dict(rows)[line][header.index(column)] == corrupted


def test_keys_are_unique_where_the_specification_says(clean: Path) -> None:
    keys = {
        "医嘱": ["医嘱号"],
        "人工肝治疗": ["流水号"],
        "病程评估": ["评估号"],
        "生命体征": ["病案号", "住院次数", "测量时间"],
        "影像": ["检查号", "报告时间"],
        "死亡登记": ["登记号"],
        "检验结果": ["标本号", "项目代码", "项目名称", "报告时间"],
    }
    for name, key in keys.items():
        rows = kind(clean, name)
        assert rows.select(key).is_duplicated().sum() == 0, name


def test_every_record_number_is_on_a_front_page(clean: Path) -> None:
    known = set(kind(clean, "病案首页").get_column("BAH"))
    for name in ("检验结果", "医嘱", "人工肝治疗", "病程评估", "生命体征", "影像"):
        assert set(kind(clean, name).get_column("病案号")) <= known, name
    assert {number for number in known if len(number) != 7 or not number.isdigit()} == set()


def test_model_page_is_complete(clean: Path) -> None:
    page = json.loads((clean / "truth" / "model.json").read_text(encoding="utf-8"))
    assert page["profile"] == "clean"
    assert len(page["death"]["baseline"]["rates"]) == len(page["death"]["baseline"]["breaks"]) == 7
    assert len(page["death"]["terms"]) == 15
    assert all(rate > 0 for part in ("death", "transplant", "lost") for rate in page[part]["baseline"]["rates"])


def test_wrong_arguments_are_refused_in_plain_words(tmp_path: Path, clean: Path) -> None:
    with pytest.raises(ValueError, match=r"'claen'.*Did you mean 'clean'"):
        write_bundle(tmp_path / "x", profile="claen")
    with pytest.raises(ValueError, match="39 persons"):
        write_bundle(tmp_path / "x", n_persons=39)
    with pytest.raises(ValueError, match="already holds exports"):
        write_bundle(clean)
    assert not (tmp_path / "x").exists()
