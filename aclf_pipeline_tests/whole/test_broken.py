"""What is broken stops at the door or at the gate: what was good before stays, and the reason is told.

One small hospital is refreshed from its first two batches; every test works on a copy of that home, to which the third
batch is delivered damaged, with the fourth behind it.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.ingest import BATCHES_ACCEPTED, ingest_asset
from aclf_pipeline.assets.instance import run_refresh
from aclf_pipeline.cli import app, console
from aclf_pipeline.settings import Settings
from aclf_pipeline.simulate import write_bundle
from aclf_pipeline.warehouse.connection import Warehouse, quoted
from aclf_pipeline.warehouse.release import content_digest, verify
from aclf_pipeline_tests.whole.canaries import MANIFEST, write_manifest

pytestmark = pytest.mark.xdist_group("broken")

THIRD, FOURTH = "20190715_incr", "20191115_incr"
LABS, NOTES, VITALS, IMAGING = (f"{kind}_增量_20190715.csv" for kind in ("检验结果", "病程评估", "生命体征", "影像"))


@dataclass(frozen=True)
class Hospital:
    """A home that has taken the first two batches, and the later ones, not yet delivered."""

    settings: Settings
    later: Path

    def deliver(self, batch: str, damage: Callable[[Path], None] | None = None, suffix: str = "") -> None:
        folder = self.settings.exports / f"{batch}{suffix}"
        shutil.copytree(self.later / batch, folder)
        if damage is not None:
            damage(folder)

    def state(self) -> dict[str, object]:
        """Everything a refused batch must leave as it was."""
        with Warehouse.open(self.settings.warehouse) as wh:
            tables = [
                name for name in sorted(wh.tables()) if name.split(".")[0] in ("raw", "core", "marts", "analysis")
            ]
            tables.append("quality.files")
            contents = {
                name: wh.rows(f"select count(*), bit_xor(hash(t)) from {quoted(name)} as t")[0] for name in tables
            }
            return {**contents, "digest": content_digest(wh), "releases": self.releases()}

    def releases(self) -> list[str]:
        return sorted(path.name for path in self.settings.releases.iterdir())

    def rows(self, sql: str) -> list[tuple]:
        with Warehouse.open(self.settings.warehouse) as wh:
            return wh.rows(sql)

    def batches(self) -> dict[str, str]:
        return dict(self.rows("select batch, state from quality.batches"))

    def aclf(self, monkeypatch, *words: str, **environment: str):
        # the console read its width when it was imported, in another test perhaps
        monkeypatch.setattr(console, "width", 400)
        given = {"ACLF_HOME": str(self.settings.root), "ACLF_EXPORTS_DIR": str(self.settings.exports)}
        for name, value in {**given, **environment}.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Hospital:
    root = tmp_path_factory.mktemp("broken")
    write_bundle(root / "bundle", n_persons=80, seed=1, profile="clean")
    exports = root / "bundle" / "exports" / "his"
    (root / "later").mkdir()
    for batch in (THIRD, FOURTH):
        (exports / batch).rename(root / "later" / batch)
    settings = Settings(home=root / "home", exports_dir=exports)
    assert run_refresh(settings).success
    return Hospital(settings, root / "later")


@pytest.fixture(scope="module")
def house(base) -> House:
    return House.load(base.settings)


@pytest.fixture
def hospital(base, tmp_path) -> Hospital:
    shutil.copytree(base.settings.root, tmp_path / "home")
    shutil.copytree(base.settings.exports, tmp_path / "exports")
    (tmp_path / "SIMULATED.txt").touch()
    return Hospital(Settings(home=tmp_path / "home", exports_dir=tmp_path / "exports"), base.later)


def cut(folder: Path) -> None:
    """The end is lost on the way; the manifest still tells the whole file."""
    path = folder / LABS
    path.write_bytes(path.read_bytes()[:-40])


def cut_before_hashing(folder: Path) -> None:
    """The export itself broke off inside a record; the manifest tells the broken file."""
    cut(folder)
    write_manifest(folder)


def without_column(folder: Path) -> None:
    rewrite(
        folder / NOTES, lambda row, header: [cell for name, cell in zip(header, row, strict=True) if name != "腹水"]
    )


def with_renamed_column(folder: Path) -> None:
    rewrite(folder / LABS, lambda row, _: ["检测值" if cell == "结果" else cell for cell in row])


def without_file(folder: Path) -> None:
    (folder / IMAGING).unlink()


def everything(folder: Path) -> None:
    """Four files damaged in four ways."""
    without_column(folder)
    rewrite(folder / VITALS, lambda row, _: ["脉率" if cell == "脉搏(次/分)" else cell for cell in row])
    cut(folder)
    without_file(folder)


def rewrite(path: Path, change: Callable[[list[str], list[str]], list[str]]) -> None:
    """Every record of a UTF-8 file changed; the manifest tells the new file."""
    data = path.read_bytes()
    text = data.decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if text.startswith('"') else csv.QUOTE_MINIMAL
    writer = csv.writer(out, lineterminator="\r\n" if "\r\n" in text else "\n", quoting=quoting)
    writer.writerows(change(row, header) for row in [header, *rows])
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    path.write_bytes(mark + out.getvalue().encode())
    write_manifest(path.parent)


def last_line(folder: Path, name: str) -> int:
    """The physical line on which the last record of a file begins; no record of it has a line break."""
    return (folder / name).read_bytes().decode("utf-8-sig", "replace").rstrip("\n").count("\n") + 1


DAMAGES = [
    (cut, LABS, "truncated_file", None, r"It has \d+ bytes; the manifest says \d+"),
    (cut_before_hashing, LABS, "truncated_file", last_line, "ends|last|record|short"),
    (without_column, NOTES, "column_missing", 1, "The column '腹水' is missing"),
    (with_renamed_column, LABS, "column_renamed", 1, "headed '检测值'.*the nearest listed column, '结果', is missing"),
    (without_file, IMAGING, "file_missing", None, f"in {MANIFEST} and not in the folder"),
]


def take_in(house: House, hospital: Hospital) -> dg.AssetCheckEvaluation:
    """The step that reads exports, alone; gives its check."""
    here = dataclasses.replace(house, settings=hospital.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = dg.materialize([ingest_asset(here)], instance=instance, run_config=quiet)
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == BATCHES_ACCEPTED
    return check


@pytest.mark.parametrize(("damage", "file", "rule", "line", "reason"), DAMAGES, ids=[d[0].__name__ for d in DAMAGES])
def test_a_damaged_batch_is_refused_whole_and_taken_when_it_is_sent_again(
    house, hospital, damage, file, rule, line, reason
):
    before = hospital.state()
    hospital.deliver(THIRD, damage)
    hospital.deliver(FOURTH)
    check = take_in(house, hospital)
    assert hospital.state() == before
    assert hospital.batches() == {
        "20181015_full": "loaded", "20190115_incr": "loaded", THIRD: "blocked", FOURTH: "held_back",
    }  # fmt: skip
    assert not check.passed
    assert check.description.startswith(f"held back: {THIRD}, {FOURTH}; 0 files with 0 rows loaded")
    told = hospital.rows(
        f"select path, line, rule_id, message, advice from quality.file_problems where batch = '{THIRD}'"
    )
    expected = line(hospital.settings.exports / THIRD, file) if callable(line) else line
    assert [(path, at, of) for path, at, of, _, _ in told] == [(f"{THIRD}/{file}", expected, rule)]
    assert re.search(reason, told[0][3])
    assert "_r" in told[0][4]

    hospital.deliver(THIRD, suffix="_r2")
    assert take_in(house, hospital).passed
    assert hospital.batches() == {
        "20181015_full": "loaded", "20190115_incr": "loaded", f"{THIRD}_r2": "loaded", FOURTH: "loaded",
    }  # fmt: skip
    assert hospital.rows(f"select * from quality.file_problems where batch like '{THIRD}%'") == []
    after = hospital.state()
    assert after["raw.his__lab_results"][0] > before["raw.his__lab_results"][0]


@pytest.mark.slow
def test_a_refresh_tells_every_damage_at_once_keeps_the_release_and_ends_with_1_until_it_is_cured(
    hospital, monkeypatch
):
    before = hospital.state()
    hospital.deliver(THIRD, everything)
    refused = hospital.aclf(monkeypatch, "refresh")
    said = refused.output
    assert refused.exit_code == 1, said
    assert "A batch was refused" in said
    rows = [line for line in said.splitlines() if THIRD in line and "│" in line]
    for file, rule, reason in [
        (LABS, "truncated_file", "bytes; the manifest says"),
        (NOTES, "column_missing", "'腹水' is missing"),
        (VITALS, "column_renamed", "'脉搏(次/分)'"),
        (IMAGING, "file_missing", MANIFEST),
    ]:
        assert any(f"{THIRD}/{file}" in row and rule in row and reason in row for row in rows), (file, said)
    assert hospital.state() == before
    page = (hospital.settings.reports / "validation.html").read_text("utf-8")
    assert "'腹水' is missing" in page.replace("&#39;", "'")

    hospital.deliver(THIRD, suffix="_r2")
    cured = hospital.aclf(monkeypatch, "refresh")
    assert cured.exit_code == 0, cured.output
    assert hospital.batches()[f"{THIRD}_r2"] == "loaded"
    new = set(hospital.releases()) - set(before["releases"])
    assert len(new) == 1
    assert verify(hospital.settings.releases / new.pop()) == []


def test_a_staging_query_outside_its_vocabulary_is_stopped_at_the_gate(hospital, monkeypatch, tmp_path):
    shutil.copytree(hospital.settings.sql, tmp_path / "sql")
    query = tmp_path / "sql" / "staging" / "his" / "his__patients.sql"
    text = query.read_text("utf-8")
    assert "'male'" in text
    query.write_text(text.replace("'male'", "'man'"), "utf-8")
    before = hospital.state()

    stopped = hospital.aclf(monkeypatch, "refresh", ACLF_SQL=str(tmp_path / "sql"))
    said = stopped.output
    assert stopped.exit_code == 1, said
    assert "step gate failed: A blocking check failed: the core tables stay as they were" in said
    assert "core/patients: patients_contract" in said
    assert "Not published" in said
    assert hospital.state() == before
    ((state,),) = hospital.rows("select state from quality.refreshes order by started_at desc limit 1")
    assert state == "held_back"
    page = (hospital.settings.reports / "validation.html").read_text("utf-8")
    headline = page.split('class="headline', 1)[1].split("</div>", 1)[0]
    assert "<strong>Not published</strong>" in headline
    assert "patients" in headline
    assert not re.search(r"\bman\b", said), "a row's content is not needed to say what is wrong"
