"""The gate's bench draws the same rows for everybody, counts what each engine finds, and never hides an engine."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from aclf_pipeline.bench import gate_pandas, gate_polars, gate_run
from aclf_pipeline.bench.cli import app
from aclf_pipeline.bench.gate_child import floor, gate
from aclf_pipeline.bench.gate_data import BASE, DEFECTS, write_data
from aclf_pipeline.bench.gate_rules import RULE_IDS
from aclf_pipeline.bench.gate_run import ENGINES, Limits, Run, as_json, bench_gate, engines_of, sizes_of
from aclf_pipeline.bench.gate_table import differences, table, verdicts
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.errors import UserError
from aclf_pipeline.quality.executor import shape_problems
from aclf_pipeline.warehouse.connection import Warehouse

ROWS = 20_000
PEERS = {
    "polars": gate_polars.pandera_polars,
    "dataframely": gate_polars.dataframely,
    "pointblank": gate_polars.pointblank,
    "pandas": gate_pandas.pandera_pandas,
    "great_expectations": gate_pandas.great_expectations,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty thousand rows, as every engine reads them."""
    folder: Path = tmp_path_factory.mktemp("bench")
    write_data(folder, ROWS, seed=7)
    return folder


@pytest.fixture
def warehouse(drawn: Path, tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes((drawn / BASE).read_bytes())
    return path


def test_rows_are_as_the_contracts_promise_and_the_same_for_the_same_seed(drawn: Path, tmp_path: Path) -> None:
    sums = []
    for folder, seed in ((drawn, 7), (tmp_path / "again", 7), (tmp_path / "other", 8)):
        if folder != drawn:
            write_data(folder, ROWS, seed)
        with Warehouse.open(folder / BASE) as wh:
            for kind in ("labs", "patients"):
                assert shape_problems(wh.frame(f"from staging.{kind} limit 0").schema, KINDS[kind]) == {}
            sums.append(wh.rows("select count(*), bit_xor(hash(labs)) from staging.labs as labs"))
    assert sums[0] == sums[1] != sums[2]
    assert sums[0][0][0] == ROWS


def test_one_row_in_a_hundred_is_set_aside_and_nothing_else(warehouse: Path) -> None:
    found = gate(warehouse)
    assert all(found.counts[rule] > 0 for rule in RULE_IDS), "a rule meets nothing"
    with Warehouse.open(warehouse) as wh:
        ((aside, kept, superseded),) = wh.rows(
            "select (select count(*) from quality.quarantine), (select count(*) from core.labs),"
            " (select count(*) from quality.superseded)"
        )
    assert (aside + kept, superseded) == (ROWS, 0)
    # a defect spoils its row; those of two defects in fifteen (key, twice) spoil a second one
    assert aside / ROWS == pytest.approx(0.01 * (1 + 2 / len(DEFECTS)), rel=0.25)


def test_the_floor_writes_what_the_gate_writes(drawn: Path, tmp_path: Path) -> None:
    written = []
    for engine in (gate, floor):
        path = tmp_path / f"{engine.__name__}.duckdb"
        path.write_bytes((drawn / BASE).read_bytes())
        outcome = engine(path)
        assert set(outcome.seconds) >= {"judge", "record", "accept"}
        assert outcome.keys == sum(outcome.counts.values())
        with Warehouse.open(path) as wh:
            written.append(
                [
                    wh.rows(
                        "select rule_id, _row_id, patient_id, observed, action from quality.violations order by all"
                    ),
                    wh.rows("from quality.quarantine order by all"),
                    wh.rows("from core.labs order by all"),
                ]
            )
    by_gate, by_floor = written
    assert by_gate == by_floor


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_finds_the_rows_the_gate_finds(drawn: Path, warehouse: Path, peer: str) -> None:
    if find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed; it comes with the optional dependencies 'bench'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a peer deprecates is not ours
        found = PEERS[peer](drawn)
    assert found.counts == floor(warehouse).counts
    assert found.keys == sum(found.counts.values())


def test_engines_run_in_processes_of_their_own_and_leave_only_the_rows(tmp_path: Path) -> None:
    runs = bench_gate([5_000], ["gate", "floor", "pandera-polars"], data=tmp_path)
    assert [(run.engine, run.state, run.note) for run in runs] == [
        ("gate", "ok", ""), ("floor", "ok", ""), ("pandera-polars", "ok", ""),
    ]  # fmt: skip
    assert differences(runs) == []
    for run in runs:
        assert 50e6 < (run.peak_bytes or 0) < 2e9
        assert 0 < run.judged[0] <= run.whole[0]
    assert sorted(path.suffix for path in (tmp_path / "5000-1").iterdir() if path.is_file()) == [
        "", ".duckdb", ".json", ".json", ".json", ".parquet", ".parquet", ".parquet",
    ]  # fmt: skip
    told = json.loads(as_json(runs, 1, Limits()))
    assert [run["engine"] for run in told["runs"]] == ["gate", "floor", "pandera-polars"]
    assert told["versions"]["duckdb"]


def test_an_engine_that_takes_too_much_is_stopped_and_said_to_be(tmp_path: Path) -> None:
    (run,) = bench_gate([5_000], ["floor"], limits=Limits(gigabytes=0.01), data=tmp_path)
    assert (run.state, run.note) == ("stopped", "stopped above 0.01 GB")
    (run,) = bench_gate([5_000], ["floor"], limits=Limits(seconds=0.01), data=tmp_path)
    assert (run.state, run.note) == ("stopped", "stopped after 0.01 s")
    assert not list((tmp_path / "5000-1").glob("floor.duckdb*"))


def test_an_absent_peer_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_run, "version_of", lambda _: None)
    (run,) = bench_gate([5_000], ["pointblank"], data=tmp_path)
    assert run.state == "not installed"
    assert "not installed: pip install 'aclf_pipeline[bench]' (pointblank)" in shown([run])


def run(engine: str, wall: float, cpu: float, **other: object) -> Run:
    measured = Run(
        engine, 1000, "ok", "", 1, wall, cpu, 1_000_000_000, failing_rows={"age_range": 3, "key_unique": 4}, keys=7
    )
    return replace(measured, **other)  # type: ignore[arg-type]


def shown(runs: list[Run]) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table(runs, 1000))
    return captured.get()


def test_what_is_promised_is_held_against_what_was_measured() -> None:
    ours = run(
        "gate", 4.0, 5.0,
        seconds={"record": 1.0, "accept": 1.0}, cpu_seconds_of_steps={"record": 1.0, "accept": 2.0},
    )  # fmt: skip
    by_hand = run(
        "floor", 3.5, 4.5,
        seconds={"record": 1.0, "accept": 1.5}, cpu_seconds_of_steps={"record": 1.5, "accept": 1.5},
    )  # fmt: skip
    peer = run("dataframely", 2.5, 9.0, peak_bytes=7_000_000_000)
    assert [holds for holds, _ in verdicts([ours, by_hand, peer])] == [False, True, True, True, True]
    told = [says for _, says in verdicts([ours, by_hand, peer])]
    assert told[0] == "1,000 rows judged in 2.00 times the floor's time (1.33 times its CPU); promised are 1.5"
    assert told[1].startswith("1,000 rows recorded in 1.50 times")
    assert told[2].startswith("1,000 rows accepted in 1.14 times")
    assert "dataframely, takes 1.25 times as long" in told[3]
    assert [holds for holds, _ in verdicts([replace(ours, peak_bytes=2_100_000_000)])] == [False]
    assert not next(holds for holds, _ in verdicts([ours, run("pointblank", 1.9, 9.0)]))


def test_other_counts_and_missing_keys_are_told() -> None:
    ours, other = run("gate", 1.0, 1.0), run("pointblank", 1.0, 1.0, failing_rows={"age_range": 3, "key_unique": 5})
    assert differences([ours, other]) == [
        "1,000 rows, key_unique: pointblank finds 5, gate 4",
        "1,000 rows: pointblank counts 8 failures and names 7",
    ]
    assert differences([ours, run("floor", 2.0, 2.0)]) == []


def test_the_fastest_comes_first_and_the_stopped_last() -> None:
    drawn = shown(
        [Run("pandera-pandas", 1000, "stopped", "stopped above 12 GB"), run("floor", 3, 3), run("gate", 2, 2)]
    )
    assert drawn.index("gate") < drawn.rindex("floor") < drawn.index("pandera-pandas")
    assert "stopped above 12 GB" in drawn


def test_sizes_and_engines_are_read_or_refused_in_words() -> None:
    assert sizes_of("1M, 200k,7") == [1_000_000, 200_000, 7]
    assert engines_of(None) == list(ENGINES)
    with pytest.raises(UserError, match=r"--sizes has '1G', which is no number of rows.*\n.*has ''"):
        sizes_of("1G,")
    result = CliRunner().invoke(app, ["gate", "--engines", "gate,dataframly"])
    assert result.exit_code == 2
    assert "Did you mean 'dataframely'?" in result.output
