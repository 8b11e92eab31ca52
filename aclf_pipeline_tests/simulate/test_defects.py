"""Every planted defect stands where the truth says, and nowhere is anything planted twice."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.simulate import DEFECTS, PROFILES, write_bundle
from aclf_pipeline.simulate.defects.blocking import BLOCKING
from aclf_pipeline.simulate.defects.lab_cells import move_point
from aclf_pipeline.simulate.defects.text_cells import garble
from aclf_pipeline.simulate.findings import HABITS
from aclf_pipeline.simulate.identity import check_character

from .reading import decode, kind, read_text, sheet_rows

FILE_LEVEL = {"column_extra", "file_unknown", "file_resent_identical", "batch_resent"}


@pytest.fixture(scope="module")
def planted(standard: Path) -> pl.DataFrame:
    return pl.read_parquet(standard / "truth" / "defects.parquet")


@cache
def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    text = decode(gzip.decompress(data) if path.suffix == ".gz" else data)[0]
    return [line + "\n" for line in text.split("\n")]


def record_at(path: Path, line: int) -> dict[str, str]:
    """The record that starts on a physical line, by header."""
    lines = _lines(path)
    delimiter = "\t" if path.suffix == ".txt" else ","
    header = next(csv.reader([lines[0]], delimiter=delimiter))
    text = "".join(lines[line - 1 : line + 12])
    return dict(zip(header, next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), strict=False))


def test_every_class_has_an_instance(planted: pl.DataFrame) -> None:
    found = set(planted.filter(~pl.col("habit")).get_column("defect_id"))
    assert found == set(DEFECTS) - set(BLOCKING)
    assert set(planted.filter("habit").get_column("defect_id")) == set(HABITS)


def test_text_cells_hold_the_corrupted_value(standard: Path, planted: pl.DataFrame) -> None:
    cells = planted.filter(
        ~pl.col("habit"),
        pl.col("line").is_not_null(),
        pl.col("sheet").is_null(),
        pl.col("column").is_not_null(),
        ~pl.col("defect_id").is_in(["embedded_newline", "unquoted_delimiter"]),
    )
    assert cells.height > 700
    wrong = []
    for defect, file, line, column, shown in cells.select(
        "defect_id", "file", "line", "column", "corrupted_value"
    ).iter_rows():
        cell = record_at(standard / "exports" / "his" / file, line)[column]
        if cell != (shown or ""):
            wrong.append((defect, file, line, column, shown, cell))
    assert wrong == []


def test_workbook_cells_hold_the_corrupted_value(standard: Path, planted: pl.DataFrame) -> None:
    cells = planted.filter(
        ~pl.col("habit"), pl.col("sheet").is_not_null(), pl.col("line").is_not_null(), pl.col("column").is_not_null()
    )
    assert {"fullwidth_digits", "lost_coded_alive"} <= set(cells.get_column("defect_id"))
    for file, sheet, line, column, shown in cells.select(
        "file", "sheet", "line", "column", "corrupted_value"
    ).iter_rows():
        path = standard / "exports" / "his" / file
        header, rows = sheets(path)[sheet]
        assert plain(dict(rows)[line][header.index(column)]) == (shown or "")


@cache
def sheets(path: Path) -> dict[str, tuple[list[str], list[tuple[int, list[object]]]]]:
    return sheet_rows(path, 3 if path.name.startswith("干细胞") else 2)


def plain(value: object) -> str:
    if value is None:
        return ""
    if hasattr(value, "date"):
        return value.date().isoformat()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_added_rows_name_their_first_copy(standard: Path, planted: pl.DataFrame) -> None:
    copies = planted.filter(pl.col("defect_id") == "duplicate_row")
    assert copies.height >= 100
    for file, line, first in copies.select("file", "line", "original_value").iter_rows():
        lines = _lines(standard / "exports" / "his" / file)
        assert line > int(first)
        assert lines[line - 1] == lines[int(first) - 1]
    conflicts = planted.filter(pl.col("defect_id") == "key_conflict")
    assert conflicts.group_by("instance").len().get_column("len").unique().to_list() == [2]


def test_double_entered_infusions(standard: Path, planted: pl.DataFrame) -> None:
    twice = planted.filter(pl.col("defect_id") == "infusion_double_entered")
    assert twice.height > 0
    for file, sheet, line, first in twice.select("file", "sheet", "line", "original_value").iter_rows():
        header, rows = sheets(standard / "exports" / "his" / file)[sheet]
        one, other = dict(rows)[int(first)], dict(rows)[line]
        for name in ("病案号", "第几次", "批号", "代次"):
            assert one[header.index(name)] == other[header.index(name)]


def test_broken_records_start_where_the_truth_says(standard: Path, planted: pl.DataFrame) -> None:
    broken = planted.filter(pl.col("defect_id").is_in(["embedded_newline", "unquoted_delimiter"]))
    for defect, file, line, shown in broken.select("defect_id", "file", "line", "corrupted_value").iter_rows():
        path = standard / "exports" / "his" / file
        lines = _lines(path)
        raw = "".join(lines[line - 1 : line + 1])
        assert shown in raw
        assert f'"{shown}"' not in raw
        if defect == "unquoted_delimiter":
            assert len(next(csv.reader([lines[line - 1]]))) == 22
        else:
            width = len(next(csv.reader([lines[0]])))
            pieces = [len(next(csv.reader([text]))) for text in lines[line - 1 : line + 1]]
            assert pieces[0] + pieces[1] - 1 == width


def test_removed_rows_are_gone_and_kept_in_the_truth(standard: Path, planted: pl.DataFrame) -> None:
    removed = planted.filter(pl.col("defect_id").is_in(["alss_missing", "infusion_order_missing"]))
    assert removed.height >= 2
    numbers = set(kind(standard, "人工肝治疗").get_column("流水号")) | set(kind(standard, "医嘱").get_column("医嘱号"))
    for cells in removed.get_column("original_value"):
        row = json.loads(cells)
        assert (row.get("流水号") or row.get("医嘱号")) not in numbers


def test_no_cell_is_hit_twice(planted: pl.DataFrame) -> None:
    cells = planted.filter(~pl.col("habit"), pl.col("line").is_not_null(), pl.col("column").is_not_null())
    assert cells.select("file", "sheet", "line", "column").is_duplicated().sum() == 0


def test_lines_and_manifests_hold_in_the_damaged_bundle(standard: Path) -> None:
    for folder in (standard / "exports" / "his").iterdir():
        manifest = read_text(folder / "导出清单.csv")
        assert {record[0] for record in manifest.records} == {p.name for p in folder.iterdir()} - {"导出清单.csv"}
        for record in manifest.records:
            data = (folder / record[0]).read_bytes()
            assert record[3] == hashlib.sha256(data).hexdigest()


def test_resent_batch_and_files_are_identical(standard: Path, planted: pl.DataFrame) -> None:
    root = standard / "exports" / "his"
    again = planted.filter(pl.col("defect_id") == "batch_resent").row(0, named=True)
    names = {p.name for p in (root / again["file"]).iterdir()} - {"导出清单.csv"}
    assert names == {p.name for p in (root / again["original_value"]).iterdir()} - {"导出清单.csv"}
    assert all(
        (root / again["file"] / n).read_bytes() == (root / again["original_value"] / n).read_bytes() for n in names
    )
    for file, first in (
        planted.filter(pl.col("defect_id") == "file_resent_identical").select("file", "original_value").iter_rows()
    ):
        assert (root / file).read_bytes() == (root / first).read_bytes()


def test_copied_tubes_are_equal_in_every_item(standard: Path, planted: pl.DataFrame) -> None:
    copies = planted.filter(pl.col("defect_id") == "copy_forward_panel")
    assert copies.group_by("instance").len().get_column("len").min() >= 8
    labs = kind(standard, "检验结果").with_row_index("_i")
    marked = labs.join(copies, left_on=["_file", "_line"], right_on=["file", "line"])
    for (_,), rows in marked.group_by("instance"):
        at, person = rows.get_column("采集时间")[0], rows.get_column("病案号")[0]
        own = labs.filter(pl.col("病案号") == person, pl.col("标本类型") == rows.get_column("标本类型")[0])
        tubes = {
            tube: dict(zip(part.get_column("项目代码"), part.get_column("结果"), strict=True))
            for (tube,), part in own.filter(pl.col("报告状态") != "修改", pl.col("采集时间") != at).group_by("标本号")
        }
        shown = dict(zip(rows.get_column("项目代码"), rows.get_column("结果"), strict=True))
        assert any(shown.items() <= found.items() for found in tubes.values())


def test_invalid_identity_numbers_fail_the_check(standard: Path, planted: pl.DataFrame) -> None:
    for shown in planted.filter(pl.col("defect_id") == "sfzh_invalid").get_column("corrupted_value"):
        assert check_character(shown[:17]) != shown[17].upper()


def test_slipped_points_are_undetectable_only_inside_the_limits(planted: pl.DataFrame) -> None:
    slips = planted.filter(pl.col("defect_id") == "decimal_slip")
    assert slips.filter(~pl.col("detectable"), pl.col("actions").list.contains("quarantine")).height == 0
    for original, shown in slips.select("original_value", "corrupted_value").iter_rows():
        assert float(shown) in (pytest.approx(float(original) * 10), pytest.approx(float(original) / 10))


def test_after_death_means_after_death(standard: Path, planted: pl.DataFrame) -> None:
    patients = pl.read_parquet(standard / "truth" / "patients.parquet")
    rows = planted.filter(
        pl.col("defect_id") == "event_after_death", pl.col("column").is_in(["采集时间", "采样时间", "测量时间"])
    )
    joined = rows.join(patients, left_on="patient", right_on="patient_id")
    assert joined.height > 0
    for shown, death in joined.select("corrupted_value", "death_date").iter_rows():
        year, month, day = map(int, shown.split(" ")[0].replace("/", "-").split("-"))
        assert (year, month, day) > (death.year, death.month, death.day)


def test_several_ids_are_in_the_truth_of_the_person(standard: Path, planted: pl.DataFrame) -> None:
    patients = pl.read_parquet(standard / "truth" / "patients.parquet")
    several = patients.filter(pl.col("bah").list.len() > 1).get_column("patient_id")
    named = planted.filter(pl.col("defect_id").is_in(["person_several_ids", "id_shared_by_two"])).get_column("patient")
    assert set(several) <= set(named)
    shared = planted.filter(pl.col("defect_id") == "id_shared_by_two")
    assert shared.get_column("patient").n_unique() == 2
    assert shared.get_column("corrupted_value").n_unique() == 1


def test_same_seed_same_damage(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / name, n_persons=40, seed=7, profile="standard")
    one, other = (sorted(p for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("a", "b"))
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in other]


@pytest.mark.parametrize("defect", BLOCKING)
def test_each_blocking_defect_falls_on_the_last_batch(tmp_path: Path, defect: str) -> None:
    assert f"broken:{defect}" in PROFILES
    root = tmp_path / "broken"
    write_bundle(root, n_persons=40, seed=3, profile=f"broken:{defect}")
    planted = pl.read_parquet(root / "truth" / "defects.parquet").filter(pl.col("defect_id") == defect)
    assert planted.get_column("actions").to_list() == [["block"]] * planted.height
    assert planted.height >= 1
    path = root / "exports" / "his" / planted.get_column("file")[0]
    assert path.parent.name == "20191115_incr"
    manifest = {record[0]: record for record in read_text(path.parent / "导出清单.csv").records}
    if defect == "file_missing":
        assert path.name in manifest
        assert not path.exists()
        return
    intact = manifest[path.name][3] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert intact is (defect != "truncated_file")
    _check_blocking(defect, path)


def _check_blocking(defect: str, path: Path) -> None:
    data = path.read_bytes()
    if defect == "truncated_file":
        assert not data.endswith(b"\n")
    elif defect == "wrong_encoding":
        with pytest.raises(UnicodeDecodeError):
            data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        with pytest.raises(UnicodeDecodeError):
            data.decode("gb18030")
    else:
        header = read_text(path).header
        expected = {
            "column_missing": "单位" not in header,
            "column_renamed": "检测值" in header and "结果" not in header,
            "phi_in_filename": "张某某" in path.name,
            "excel_id_scientific": b"9.90101E+17" in data or b"BAH" in data,
        }
        assert expected.get(defect, True)


def test_points_move_as_in_the_specification() -> None:
    assert [move_point("137", True), move_point("442.5", True), move_point("31.2", False)] == ["13.7", "44.25", "312"]
    assert [move_point("2.08", True), move_point("2.08", False), move_point("4.10", False)] == ["0.208", "20.8", "41.0"]


def test_mojibake_is_that_of_the_specification() -> None:
    assert garble("总胆红素", latin=False) == "鎬昏儐绾㈢礌"
    assert garble("肌酐", latin=True) == "¼¡ôû"
