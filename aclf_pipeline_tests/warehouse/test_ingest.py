"""The way in: a batch whole or not at all, in order, once; what is wrong is named, and nothing else changes."""

from __future__ import annotations

import gzip
import io

import polars as pl
import pytest

from aclf_pipeline.errors import UserError
from aclf_pipeline.warehouse import ingest as ingest_module
from aclf_pipeline.warehouse.batches import complete_batches
from aclf_pipeline.warehouse.ledger import violation_counts, violation_rows
from aclf_pipeline.warehouse.row_id import unpack
from aclf_pipeline_tests.warehouse.delivery import (
    CLOCK,
    KEY,
    LAB_HEADER,
    MANIFEST,
    PAGE_HEADER,
    Hospital,
    csv_bytes,
    lab,
    labs,
    rules,
    states,
)
from aclf_pipeline_tests.warehouse.test_workbook_parquet import ledger_bytes

FULL, SECOND, THIRD = "20181015_full", "20190115_incr", "20190715_incr"


@pytest.fixture
def hospital(tmp_path):
    return Hospital(tmp_path)


def snapshot(wh) -> dict[str, list[tuple]]:
    """Everything in raw tables and the ledger of files."""
    tables = sorted(name for name in wh.tables() if name.startswith("raw.") or name == "quality.files")
    return {name: wh.rows(f'select * from {name.split(".")[0]}."{name.split(".")[1]}" order by all') for name in tables}


class TestOneBatch:
    def test_every_kind_of_file_is_loaded_with_its_lines(self, hospital):
        parquet = io.BytesIO()
        pl.DataFrame({"病案号": ["0412873"], "时间": ["2014-03-05"], "值": [36.6]}).write_parquet(parquet)
        hospital.deliver(
            FULL,
            {
                "首页_2013.csv": csv_bytes(
                    [PAGE_HEADER, ["0412873", "王小明", "1971-04-12", "990101197104120537", "", "1"]],
                    encoding="gb18030",
                ),
                "检验_2013.csv": labs(lab(1), lab(2, note="a\nb"), lab(3)),
                "检验_2018.csv.gz": gzip.compress(labs(lab(4))),
                "人工肝_2018.txt": b"\xff\xfe"
                + csv_bytes(
                    [["流水号", "病案号", "备注"], ["P1", "0412873", "x"]], encoding="utf-16-le", delimiter="\t"
                ),
                "输注.xlsx": ledger_bytes(),
                "体征.parquet": parquet.getvalue(),
            },
            rows={"检验_2013.csv": 3, "输注.xlsx": 5, "体征.parquet": 1},
        )
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert states(report) == {FULL: "loaded"}
            assert (report.files_loaded, report.rows_loaded, report.files_skipped) == (6, 12, 0)
            assert rules(report) == []
            lines = wh.rows(
                "select f.name, f.sheets[row_sheet(r._row_id)], row_line(r._row_id) from ("
                "select _row_id from raw.toy__labs union all select _row_id from raw.toy__ledger) as r"
                " join quality.files as f on f.file_id = row_file(r._row_id) order by r._row_id"
            )
            assert lines == [
                ("检验_2013.csv", None, 2),
                ("检验_2013.csv", None, 3),
                ("检验_2013.csv", None, 5),
                ("检验_2018.csv.gz", None, 2),
                ("输注.xlsx", "2010年", 4),
                ("输注.xlsx", "2010年", 5),
                ("输注.xlsx", "2010年", 6),
                ("输注.xlsx", "2010年", 8),
                ("输注.xlsx", "2013年", 4),
            ]
            patients = wh.rows(
                "select 病案号 from raw.toy__labs union select BAH from raw.toy__pages"
                " union select 病案号 from raw.toy__signs"
            )
            assert patients == [(KEY.pseudonym("record_number", "0412873"),)]
            padded = wh.rows("select 病案号, 病案号__padded from raw.toy__ledger where 病案号__padded is not null")
            assert padded == [tuple(KEY.pseudonym("record_number", number) for number in ("412874", "0412874"))]

    def test_what_the_ledger_says_of_a_file(self, hospital):
        data = csv_bytes([LAB_HEADER, lab(1), lab(2)], encoding="gb18030", line_end="\n")
        hospital.deliver(FULL, {"检验_2016.csv": data})
        with hospital.open() as wh:
            hospital.ingest(wh)
            (entry,) = wh.frame("select * exclude (sha256, sheets) from quality.files").to_dicts()
        assert entry == {
            "file_id": 1,
            "source": "toy",
            "batch": FULL,
            "batch_seq": 1,
            "path": f"{FULL}/检验_2016.csv",
            "name": "检验_2016.csv",
            "kind": "检验",
            "raw_table": "raw.toy__labs",
            "form": "labs",
            "bytes": len(data),
            "encoding": "gb18030",
            "line_end": "lf",
            "columns": 6,
            "rows": 2,
            "is_snapshot": False,
            "state": "loaded",
            "same_as": None,
            "loaded_at": CLOCK,
        }

    def test_raw_tables_exist_before_any_file_comes(self, hospital):
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert report.batches == []
            assert wh.columns("raw.toy__pages") == [("_row_id", "BIGINT")] + [
                (name, "VARCHAR") for name in hospital.source.files["pages"].stored
            ]

    def test_rejects_joins_and_redactions_are_in_the_ledger_without_content(self, hospital):
        body = (
            csv_bytes([LAB_HEADER])
            + (
                "1,0412873,王小明,1,g/L,溶\n血\r\n"
                "2,0412873,王小明,1,g/L,a,b\r\n"
                "3,0412873,王小明,1,g/L,电话13800138000\r\n"
                "x,nobody,王小明,1\n,g/L,\r\n"
            ).encode()
        )
        hospital.deliver(FULL, {"检验_2013.csv": body}, rows={"检验_2013.csv": 4})
        with hospital.open() as wh:
            assert rules(hospital.ingest(wh)) == []
            rejects = wh.rows("select row_line(_row_id), raw_table, rule_id, pieces from quality.rejects order by 1")
            receipts = wh.rows(
                "select row_line(_row_id), table_name, column_name, rule_id, seen, became"
                " from quality.receipts order by 1"
            )
            notes = wh.rows("select row_line(_row_id), 备注 from raw.toy__labs order by 1")
        assert rejects == [
            (4, "raw.toy__labs", "unquoted_delimiter", 1),
            (6, "raw.toy__labs", "embedded_newline", 2),
        ]
        assert receipts == [
            (2, "raw.toy__labs", None, "embedded_newline", "2 pieces", "one row"),
            (5, "raw.toy__labs", "备注", "phi_in_text", "1 telephone", "redacted"),
        ]
        assert notes == [(2, "溶\n血"), (5, "电话[电话]")]

    def test_an_unlisted_file_is_not_opened_and_flagged(self, hospital):
        hospital.deliver(FULL, {"病例照片.zip": b"\x00", "检验_2013.csv": labs(lab(1))})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert states(report) == {FULL: "loaded"}
            assert wh.rows("select path, rule_id, action from quality.file_problems") == [
                (f"{FULL}/病例照片.zip", "file_unknown", "flag")
            ]

    def test_an_extra_column_is_flagged_and_not_stored(self, hospital):
        hospital.deliver(FULL, {"检验_2013.csv": csv_bytes([[*LAB_HEADER, "YBH"], [*lab(1), "canary"]])})
        with hospital.open() as wh:
            assert rules(hospital.ingest(wh)) == ["column_extra"]
            assert "YBH" not in dict(wh.columns("raw.toy__labs"))

    def test_a_file_without_rows_is_loaded_with_none(self, hospital):
        hospital.deliver(FULL, {"检验_2013.csv": csv_bytes([LAB_HEADER]), "首页_1.csv": csv_bytes([PAGE_HEADER])})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert (states(report), report.files_loaded, report.rows_loaded) == ({FULL: "loaded"}, 2, 0)

    def test_a_listed_column_that_is_absent_is_null_in_every_row(self, hospital):
        header = [name for name in PAGE_HEADER if name != "DH"]
        row = ["0412873", "王小明", "1971-04-12", "", "1"]
        hospital.deliver(FULL, {"首页_1.csv": csv_bytes([header, row, ["0412874", *row[1:]]])})
        with hospital.open() as wh:
            hospital.ingest(wh)
            assert wh.rows("select LYFS, SFZH from raw.toy__pages") == [("1", None), ("1", None)]

    def test_hidden_files_are_nothing(self, hospital):
        (hospital.deliver(FULL, {"检验_2013.csv": labs(lab(1))}) / ".DS_Store").write_bytes(b"x")
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert (states(report), rules(report)) == ({FULL: "loaded"}, [])

    def test_progress_counts_bytes_up(self, hospital):
        hospital.deliver(FULL, {"检验_2013.csv": labs(lab(1)), "检验_2014.csv": labs(lab(2))})
        seen = []
        with hospital.open() as wh:
            ingest_module.ingest(wh, hospital.source, hospital.exports, KEY, CLOCK, lambda *step: seen.append(step))
        assert [name for name, _, _ in seen] == ["检验_2013.csv", "检验_2014.csv"]
        assert 0 == seen[0][1] < seen[1][1] < seen[1][2]


class TestOrder:
    def test_batches_count_by_date_full_first_then_number(self, hospital):
        for number, name in enumerate(["20190115_incr", "20190115_full", "20181015_incr"]):
            hospital.deliver(name, {f"检验_{number}.csv": labs(lab(number))})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
        assert [(batch.name, batch.seq) for batch in report.batches] == [
            ("20181015_incr", 1),
            ("20190115_full", 2),
            ("20190115_incr", 3),
        ]

    def test_an_earlier_batch_that_comes_late_takes_its_place(self, hospital):
        hospital.deliver(SECOND, {"检验_2.csv": labs(lab(2))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
            hospital.ingest(wh)
            assert wh.rows("select batch, seq from quality.batches order by seq") == [(FULL, 1), (SECOND, 2)]
            assert wh.rows("select batch, batch_seq from quality.files order by 2") == [(FULL, 1), (SECOND, 2)]

    def test_a_batch_without_manifest_is_not_there_yet(self, hospital):
        folder = hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))}, manifest=False)
        assert complete_batches(hospital.source, hospital.exports) == []
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert (states(report), rules(report)) == ({FULL: "incomplete"}, [])
            (folder / MANIFEST).write_bytes(
                csv_bytes([["文件名", "字节数", "行数", "SHA256"], ["检验_1.csv", "", "", ""]])
            )
            assert states(hospital.ingest(wh)) == {FULL: "loaded"}

    def test_a_folder_that_is_no_batch_is_reported_and_not_read(self, hospital):
        hospital.deliver("backup of 2018", {"检验_1.csv": labs(lab(1))})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
        assert states(report) == {"backup of 2018": "unreadable_name"}
        assert report.files_loaded == 0

    def test_a_folder_of_files_is_one_batch_where_the_source_says_so(self, hospital):
        page = hospital.source.model_dump(by_alias=True) | {"batches": {"folder": ".*"}}
        source = type(hospital.source).model_validate(page)
        (hospital.exports / "检验_1.csv").write_bytes(labs(lab(1)))
        (hospital.exports / "__pycache__").mkdir()
        with hospital.open() as wh:
            report = ingest_module.ingest(wh, source, hospital.exports, KEY, CLOCK)
            assert (states(report), report.rows_loaded) == ({"exports": "loaded"}, 1)
            assert states(ingest_module.ingest(wh, source, hospital.exports, KEY, CLOCK)) == {"exports": "known"}

    def test_no_exports_folder_is_said(self, hospital):
        hospital.exports.rmdir()
        assert complete_batches(hospital.source, hospital.exports) == []
        with hospital.open() as wh, pytest.raises(UserError, match="is not a folder"):
            hospital.ingest(wh)


class TestOnce:
    def test_a_second_ingest_loads_nothing(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1), lab(2)), "输注.xlsx": ledger_bytes(), "photo.zip": b""})
        with hospital.open() as wh:
            hospital.ingest(wh)
            before = snapshot(wh)
            problems = wh.rows("select * from quality.file_problems")
            report = hospital.ingest(wh)
            assert (states(report), report.rows_loaded, report.files_skipped) == ({FULL: "known"}, 0, 2)
            assert snapshot(wh) == before
            assert wh.rows("select * from quality.file_problems") == problems

    def test_a_file_sent_again_is_skipped_with_one_line(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
        hospital.deliver(SECOND, {"检验_again.csv": labs(lab(1)), "检验_new.csv": labs(lab(2))})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert states(report) == {FULL: "loaded", SECOND: "loaded"}
            assert rules(report) == ["file_resent_identical"]
            assert (report.files_loaded, report.rows_loaded, report.files_skipped) == (2, 2, 1)
            assert wh.rows("select name, state, same_as, rows from quality.files order by file_id") == [
                ("检验_1.csv", "loaded", None, 1),
                ("检验_again.csv", "same_content", 1, 0),
                ("检验_new.csv", "loaded", None, 1),
            ]
            assert states(hospital.ingest(wh)) == {FULL: "known", SECOND: "known"}

    def test_a_file_twice_in_one_batch_is_loaded_once(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1)), "检验_2.csv": labs(lab(1))})
        with hospital.open() as wh:
            assert hospital.ingest(wh).rows_loaded == 1

    def test_a_batch_sent_again_whole_leaves_one_line_and_no_files(self, hospital):
        files = {"检验_1.csv": labs(lab(1)), "输注.xlsx": ledger_bytes()}
        hospital.deliver(FULL, files)
        hospital.deliver(SECOND, files)
        with hospital.open() as wh:
            for _ in range(2):
                report = hospital.ingest(wh)
                assert states(report)[SECOND] == "known"
                assert wh.scalar("select count(*) from quality.files") == 2
                assert wh.rows("select batch, path, rule_id, action from quality.file_problems") == [
                    (SECOND, None, "batch_resent", "repair")
                ]

    def test_a_delivered_file_that_changes_later_is_told_and_what_is_in_stays(self, hospital):
        folder = hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            before = snapshot(wh)
            (folder / "检验_1.csv").write_bytes(labs(lab(9)))
            report = hospital.ingest(wh)
            assert (states(report), rules(report)) == ({FULL: "blocked"}, ["file_changed"])
            assert report.batches[0].problems[0].file == f"{FULL}/检验_1.csv"
            assert snapshot(wh) == before


def damaged_workbook() -> bytes:
    return ledger_bytes()[:3000]


BLOCKING = {
    # rule: files of the batch, line
    "truncated_file": ({"检验_9.csv": labs(lab(1))[:-30]}, 2),
    "truncated_file (gzip)": ({"检验_9.csv.gz": gzip.compress(labs(lab(1)))[:-9]}, None),
    "truncated_file (workbook)": ({"输注.xlsx": damaged_workbook()}, None),
    "wrong_encoding": ({"检验_9.csv": csv_bytes([LAB_HEADER, lab(1)], encoding="gb18030") + labs(lab(2))[3:]}, 3),
    "column_missing": ({"检验_9.csv": csv_bytes([LAB_HEADER[:-1], lab(1)[:-1]])}, 1),
    "column_renamed": ({"检验_9.csv": csv_bytes([[n.replace("结果", "检测值") for n in LAB_HEADER], lab(1)])}, 1),
    "excel_id_scientific": (
        {"首页_9.csv": csv_bytes([PAGE_HEADER, ["412873", "王小明", "1971/4/12", "9.90101E+17", "", "1"]])},
        None,
    ),
}


class TestBlocked:
    @pytest.mark.parametrize("case", BLOCKING)
    def test_a_damaged_file_blocks_its_batch_and_leaves_everything_as_it_was(self, hospital, case):
        files, line = BLOCKING[case]
        rule = case.split(" ")[0]
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            before = snapshot(wh)
            hospital.deliver(SECOND, {"检验_0.csv": labs(lab(77)), **files})
            hospital.deliver(THIRD, {"检验_3.csv": labs(lab(3))})
            for _ in range(2):
                report = hospital.ingest(wh)
                assert states(report) == {FULL: "known", SECOND: "blocked", THIRD: "held_back"}
                assert rules(report) == [rule, "held_back"]
                assert snapshot(wh) == before
                assert report.rows_loaded == 0
            (name,) = files
            assert wh.rows(
                "select path, line, action, length(advice) > 0 from quality.file_problems where rule_id = ?", [rule]
            ) == [(f"{SECOND}/{name}", line, "block", True)]
            assert wh.rows("select state, seq from quality.batches where batch = ?", [SECOND]) == [("blocked", None)]

    def test_a_corrected_batch_cures_it_and_frees_the_later_ones(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
        hospital.deliver(SECOND, {"检验_2.csv": labs(lab(2))[:-30]})
        hospital.deliver(THIRD, {"检验_3.csv": labs(lab(3))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            hospital.deliver(f"{SECOND}_r2", {"检验_2.csv": labs(lab(2))})
            report = hospital.ingest(wh)
            assert states(report) == {FULL: "known", f"{SECOND}_r2": "loaded", THIRD: "loaded"}
            assert wh.rows("select batch, seq from quality.batches order by seq") == [
                (FULL, 1),
                (f"{SECOND}_r2", 2),
                (THIRD, 3),
            ]
            assert wh.scalar("select count(*) from quality.file_problems") == 0

    def test_every_problem_of_a_batch_is_told_at_once(self, hospital):
        hospital.deliver(
            FULL,
            {
                "检验_1.csv": labs(lab(1))[:-30],
                "检验_2.csv": csv_bytes([LAB_HEADER[1:], lab(1)[1:]]),
                "检验_3.csv": labs(lab(3)),
            },
        )
        with hospital.open() as wh:
            assert sorted(rules(hospital.ingest(wh))) == ["column_missing", "truncated_file"]

    @pytest.mark.parametrize(
        ("change", "rule", "says"),
        [
            (
                lambda f: (f / "检验_1.csv").write_bytes(labs(lab(1), lab(2))),
                "truncated_file",
                "bytes; the manifest says",
            ),
            (lambda f: (f / "检验_1.csv").write_bytes(labs(lab(2))), "truncated_file", "SHA-256"),
            (lambda f: (f / "检验_1.csv").unlink(), "file_missing", "not in the folder"),
            (lambda f: (f / "检验_2.csv").write_bytes(labs(lab(2))), "file_missing", f"not in {MANIFEST}"),
            (lambda f: (f / MANIFEST).write_bytes(csv_bytes([["文件名"], ["检验_1.csv"]])), "column_missing", "字节数"),
        ],
    )
    def test_a_folder_that_is_not_what_its_manifest_says_is_blocked(self, hospital, change, rule, says):
        change(hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))}))
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert (states(report), rules(report)) == ({FULL: "blocked"}, [rule])
            assert says in report.batches[0].problems[0].message

    def test_a_number_of_rows_that_is_not_the_manifests_is_blocked(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1), lab(2))}, rows={"检验_1.csv": 3})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
        assert rules(report) == ["truncated_file"]
        assert "2 data records; the manifest says 3" in report.batches[0].problems[0].message

    @pytest.mark.parametrize(
        "name", ["影像_张某某_0412873.csv", "检验_0412873.csv", "检验_13800138000.csv", "检验_王小明.csv"]
    )
    def test_an_identifier_in_a_file_name_blocks_and_is_nowhere_shown(self, hospital, name):
        hospital.deliver(FULL, {name: labs(lab(1)), "检验_1.csv": labs(lab(2))})
        with hospital.open() as wh:
            report = hospital.ingest(wh)
            assert states(report) == {FULL: "blocked"}
            assert "phi_in_filename" in rules(report)
            told = str(report) + str(wh.rows("select * from quality.file_problems"))
        for secret in ("张某某", "0412873", "13800138000", "王小明"):
            assert secret not in told

    def test_a_crash_inside_a_batch_leaves_nothing_behind(self, hospital, monkeypatch):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1)), "检验_2.csv": labs(lab(2))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            before = snapshot(wh)
            hospital.deliver(SECOND, {"检验_3.csv": labs(lab(3)), "检验_4.csv": labs(lab(4))})
            real, calls = ingest_module.read_file, []

            def failing(*args):
                calls.append(args[1])
                if len(calls) == 2:
                    raise MemoryError("crash")
                return real(*args)

            monkeypatch.setattr(ingest_module, "read_file", failing)
            with pytest.raises(MemoryError, match="crash"):
                hospital.ingest(wh)
            assert calls == ["检验_3.csv", "检验_4.csv"]
            assert snapshot(wh) == before
            monkeypatch.undo()
            assert states(hospital.ingest(wh)) == {FULL: "known", SECOND: "loaded"}


class TestReplaced:
    def test_a_replacement_takes_the_place_of_a_loaded_batch_whole(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1), lab(2), ["3", "0412873", "王小明", "1", "g/L", "a,b"])})
        hospital.deliver(SECOND, {"检验_2.csv": labs(lab(4))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            hospital.deliver(f"{FULL}_r2", {"检验_1.csv": labs(lab(5))})
            report = hospital.ingest(wh)
            assert states(report) == {f"{FULL}_r2": "loaded", SECOND: "known"}
            assert wh.rows("select 标本号 from raw.toy__labs order by 1") == [("000000000004",), ("000000000005",)]
            assert wh.rows("select batch, seq from quality.batches order by seq") == [(f"{FULL}_r2", 1), (SECOND, 2)]

    def test_a_replacement_under_way_does_not_count_yet(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
        hospital.deliver(f"{FULL}_r2", {"检验_1.csv": labs(lab(5))}, manifest=False)
        with hospital.open() as wh:
            assert states(hospital.ingest(wh)) == {FULL: "loaded"}

    def test_a_blocked_replacement_leaves_the_batch_it_would_replace(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            before = snapshot(wh)
            hospital.deliver(f"{FULL}_r2", {"检验_1.csv": labs(lab(5))[:-30]})
            assert states(hospital.ingest(wh)) == {f"{FULL}_r2": "blocked"}
            assert snapshot(wh) == before

    def test_a_file_that_a_later_batch_sent_again_is_not_lost_with_the_replaced_one(self, hospital):
        hospital.deliver(FULL, {"检验_1.csv": labs(lab(1)), "检验_x.csv": labs(lab(9))})
        hospital.deliver(SECOND, {"检验_1.csv": labs(lab(1)), "检验_2.csv": labs(lab(2))})
        with hospital.open() as wh:
            hospital.ingest(wh)
            hospital.deliver(f"{FULL}_r2", {"检验_x.csv": labs(lab(8))})
            hospital.ingest(wh)
            found = wh.rows("select 标本号 from raw.toy__labs order by 1")
            assert [int(number) for (number,) in found] == [1, 2, 8]


def test_violations_are_read_with_their_place(hospital):
    hospital.deliver(FULL, {"输注.xlsx": ledger_bytes()})
    with hospital.open() as wh:
        hospital.ingest(wh)
        (row_id,) = wh.rows("select max(_row_id) from raw.toy__ledger")[0]
        wh.execute(
            "insert into quality.violations values ('r', 'infusions', 'dose', 'f', ?, 'R1', 'flag', '70', 'd')",
            [row_id],
        )
        assert violation_counts(wh).to_dicts() == [
            {"rule": "dose", "table": "infusions", "action": "flag", "rows": 1, "patients": 1}
            | dict.fromkeys(("new", "reopened", "resolved"))
        ]
        (row,) = violation_rows(wh, "dose").to_dicts()
    assert (row["file"], row["sheet"], row["line"]) == (f"{FULL}/输注.xlsx", "2013年", 4)
    assert unpack(row_id).sheet == 3
