"""The bench of harmonising: rows as a laboratory has them, and two engines that share nothing agree on baselines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from aclf_pipeline.bench import harmonise_child
from aclf_pipeline.bench.cli import app
from aclf_pipeline.bench.gate_run import Limits
from aclf_pipeline.bench.harmonise_data import BASE, CODES, TUBES, write_data
from aclf_pipeline.bench.harmonise_run import Harmonised, bench_harmonise, table
from aclf_pipeline.warehouse.connection import Warehouse

ROWS = 25_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("harmonise")
    write_data(made, ROWS, seed=3)
    return made


@pytest.fixture(scope="module")
def house(folder: Path) -> dict[str, object]:
    return harmonise_child.house(folder)


def test_every_row_is_read_and_mapped_but_for_the_words(folder: Path, house: dict[str, object]) -> None:
    with Warehouse.open(folder / harmonise_child.DONE) as wh:
        rows, codes, unparsed, converted = (
            wh.rows("select count(*), count(distinct source_code), count(unparsed) from staging.labs")[0]
            + wh.rows("select count(*) filter (where factor <> 1) from intermediate.labs")[0]
        )
    assert (rows, codes, unparsed) == (ROWS, len(CODES), 0)
    assert 0 < converted < ROWS / 50
    assert set(house["verdicts"]) == {"used", "censored", "text"}
    assert sum(house["verdicts"].values()) == ROWS


def test_nearly_every_person_has_every_baseline(folder: Path, house: dict[str, object]) -> None:
    persons = ROWS // len(CODES) // TUBES
    variables = 15  # of the twenty items, those the study picks as numbers by nearness
    assert house["picked"] / (persons * variables) == pytest.approx(1, abs=0.05)


def test_the_same_seed_draws_the_same_rows_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    sums = []
    for place, seed in ((folder, 3), (tmp_path / "again", 3), (tmp_path / "other", 4)):
        if place != folder:
            write_data(place, ROWS, seed)
        with Warehouse.open(place / BASE) as wh:
            sums.append(wh.rows("select count(*), bit_xor(hash(r)) from raw.his__lab_results as r"))
    assert sums[0] == sums[1] != sums[2]


def test_polars_by_hand_picks_the_same_rows_as_the_sql(folder: Path, house: dict[str, object]) -> None:
    polars = harmonise_child.by_polars(folder)
    assert Harmonised(ROWS, {"house": house, "polars": polars}).problems == []
    other = {**polars, "rows_digest": 0}
    assert len(Harmonised(ROWS, {"house": house, "polars": other}).problems) == 1


def test_the_floor_reads_and_writes_every_step(folder: Path, house: dict[str, object]) -> None:
    seconds = harmonise_child.floor(folder)["seconds"]
    steps = {name.split(":")[0] for name in seconds if ":" in name}
    with Warehouse.open(folder / harmonise_child.DONE) as wh:
        assert steps == {name for name in house["seconds"] if "." in name and wh.scalar(f"select count(*) from {name}")}
    assert {"staging.labs", "intermediate.labs", harmonise_child.END} <= steps


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_what_it_measured(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    told = CliRunner().invoke(app, ["harmonise", "--sizes", "2k", "--json", str(file)], env={"COLUMNS": "200"})
    assert told.exit_code == 0, told.output
    assert "2,000 laboratory rows to baselines" in told.output
    (size,) = json.loads(file.read_text("utf-8"))["sizes"]
    assert size["problems"] == []
    assert set(size["reports"]) == {"house", "floor", "polars"}


def test_an_engine_that_takes_too_long_is_told_and_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="could not be drawn: stopped after"):
        bench_harmonise([1000], limits=Limits(seconds=0.01), data=tmp_path)
    stopped = Harmonised(10, {"house": {"state": "stopped", "note": "stopped above 1 GB"}})
    assert stopped.problems == ["house: stopped: stopped above 1 GB"]


def test_the_table_states_shares_of_the_steps() -> None:
    house = {"seconds": {"staging.labs": 2.0, "intermediate.labs": 1.0, "wall": 3.0}, "peak_bytes": 10**9}
    floor = {"seconds": {"staging.labs:read": 0.5, "staging.labs:write": 0.5, "intermediate.labs:write": 1.0}}
    console = Console(record=True, width=160)
    console.print(table(Harmonised(1000, {"house": house, "floor": floor, "polars": {"seconds": {"wall": 0.5}}})))
    text = console.export_text()
    assert "50%" in text
    assert "100%" in text
    assert "67%" in text
