"""The warehouse file: who may open it, what is in it from the start, and what an exception leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import polars as pl
import pytest

from aclf_pipeline.warehouse import Warehouse, WarehouseError
from aclf_pipeline.warehouse.connection import SCHEMAS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "warehouse" / "his.duckdb"


def test_a_new_file_has_every_schema_and_an_empty_ledger(path):
    with Warehouse.open(path) as wh:
        found = {name for (name,) in wh.rows("select schema_name from information_schema.schemata")}
        assert found >= set(SCHEMAS)
        ledger = sorted(name for name in wh.tables() if name.startswith("quality."))
        assert {"quality.refreshes", "quality.violations", "quality.quarantine", "quality.repairs"} <= set(ledger)
        assert all(wh.scalar(f"select count(*) from {name}") == 0 for name in ledger)


def test_opening_again_keeps_what_is_there(path):
    with Warehouse.open(path) as wh:
        wh.write("staging.labs", pl.DataFrame({"a": [1]}))
    with Warehouse.open(path) as wh:
        assert wh.scalar("select a from staging.labs") == 1


def test_append_goes_by_name_not_by_place(path):
    with Warehouse.open(path) as wh:
        wh.write("staging.xy", pl.DataFrame({"x": [1], "y": [10]}))
        wh.append("staging.xy", pl.DataFrame({"y": [20], "x": [2]}))
        assert wh.rows("select x, y from staging.xy order by x") == [(1, 10), (2, 20)]


def test_python_names_are_never_tables(path):
    labs = pl.DataFrame({"a": [1]})  # noqa: F841
    with Warehouse.open(path) as wh, pytest.raises(Exception, match="labs does not exist"):
        wh.rows("select * from labs")


def test_an_exception_undoes_the_whole_block(path):
    with Warehouse.open(path) as wh:
        wh.write("staging.kept", pl.DataFrame({"a": [1]}))

        def work():
            with wh.transaction():
                wh.execute("delete from staging.kept")
                with wh.transaction():
                    wh.write("staging.new", pl.DataFrame({"a": [2]}))
                raise KeyError("crash")

        with pytest.raises(KeyError, match="crash"):
            work()
        assert wh.scalar("select count(*) from staging.kept") == 1
        assert "staging.new" not in wh.tables()
        wh.write("staging.after", pl.DataFrame({"a": [3]}))


def test_a_failed_statement_inside_a_block_is_the_error_that_is_seen(path):
    def work(wh):
        with wh.transaction():
            wh.execute("select * from staging.nowhere")

    with Warehouse.open(path) as wh:
        with pytest.raises(Exception, match="nowhere"):
            work(wh)
        assert wh.scalar("select 1") == 1


def test_chunks_stream_everything_once_and_leave_the_warehouse_usable(path):
    with Warehouse.open(path) as wh:
        wh.write("staging.n", pl.DataFrame({"n": range(10_000)}))
        seen = 0
        for frame in wh.chunks("select n from staging.n order by n", rows=3_000):
            assert 0 < frame.height <= 3_000
            seen += frame.height
            assert wh.scalar("select 1") == 1
        assert seen == 10_000
        assert list(wh.chunks("select n from staging.n where n < 0")) == []


def test_the_process_that_holds_the_file_is_named(path):
    holder = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from aclf_pipeline.warehouse import Warehouse
        with Warehouse.open(Path({str(path)!r})):
            print("open", flush=True)
            sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(WarehouseError, match=f"in use by process {process.pid} "):
            Warehouse.open(path, wait_seconds=0.2)
        process.stdin.close()
        process.wait(20)
    with Warehouse.open(path) as wh:
        assert wh.scalar("select 1") == 1
    assert process.pid != os.getpid()


def test_a_file_that_is_no_database_is_said_to_be_none(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database, and longer than a header of sixteen bytes" * 100)
    with pytest.raises(WarehouseError, match="cannot be opened as a database"):
        Warehouse.open(path)


def test_the_file_is_free_after_an_exception(path):
    with pytest.raises(KeyError), Warehouse.open(path):
        raise KeyError("inside")
    check = textwrap.dedent(f"""
        from pathlib import Path
        from aclf_pipeline.warehouse import Warehouse
        Warehouse.open(Path({str(path)!r}), wait_seconds=0.1).close()
    """)
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
