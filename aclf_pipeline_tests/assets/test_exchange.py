"""What releases keep of the pages, and the commands that export contracts and compare versions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aclf_pipeline.assets.exchange import CONTRACT, PAGES, snapshot_at, write_exchange
from aclf_pipeline.assets.house import House
from aclf_pipeline.cli import app
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.diff import compare
from aclf_pipeline.settings import PACKAGE, Settings


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE / "protocol", tmp_path / "pages", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return tmp_path / "pages"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """What a release keeps, as the step that publishes writes it."""
    house = House.load(Settings(home=tmp_path / "home"))
    written = write_exchange(house)
    assert set(written) == {CONTRACT, PAGES}
    folder = tmp_path / "2019-10-31-release"
    folder.mkdir()
    for name, path in written.items():
        shutil.copyfile(path, folder / name)
    (folder / "manifest.json").write_text("{}")
    return folder


def loosen(pages: Path) -> None:
    page = pages / "analytes.yaml"
    page.write_text(page.read_text("utf-8").replace("limits: [1.7, 1500]", "limits: [1.7, 2000]", 1), "utf-8")


def tighten(pages: Path) -> None:
    page = pages / "analytes.yaml"
    page.write_text(page.read_text("utf-8").replace("limits: [1.7, 1500]", "limits: [5, 1500]", 1), "utf-8")


def test_a_release_keeps_pages_whose_hash_is_the_protocols_digest(release: Path) -> None:
    import hashlib

    kept = hashlib.sha256((release / PAGES).read_bytes()).hexdigest()
    assert kept == House.load(Settings()).protocol.digest


def test_a_release_equals_the_pages_it_was_made_with_and_tells_what_was_changed_since(
    release: Path, pages: Path
) -> None:
    settings = Settings()
    assert compare(snapshot_at(settings, release), snapshot_at(settings, settings.protocol)) == []
    loosen(pages)
    (found,) = compare(snapshot_at(settings, release), snapshot_at(settings, pages))
    assert (found.name, found.what, found.effect) == ("bilirubin_total", "limits widened", "results")


def test_the_pages_alone_can_be_compared(release: Path) -> None:
    settings = Settings()
    assert compare(snapshot_at(settings, release / PAGES), snapshot_at(settings, release)) == []


def test_what_is_no_version_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a folder of pages nor a release"):
        snapshot_at(Settings(), tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="before releases kept their pages"):
        snapshot_at(Settings(), tmp_path)


@pytest.mark.parametrize(
    ("changed", "asked", "code"),
    [
        (tighten, [], 0),
        (tighten, ["--fail-on", "breaking"], 1),
        (loosen, ["--fail-on", "breaking"], 0),
        (loosen, ["--fail-on", "results"], 1),
    ],
)
def test_the_diff_ends_as_it_was_asked_to(pages: Path, tmp_path: Path, changed, asked: list[str], code: int) -> None:
    shutil.copytree(pages, tmp_path / "old")
    changed(pages)
    out = tmp_path / "changes.json"
    result = CliRunner().invoke(
        app, ["protocol", "diff", str(tmp_path / "old"), str(pages), "--json", str(out), *asked]
    )
    assert result.exit_code == code, result.output
    (found,) = json.loads(out.read_text("utf-8"))
    assert found["name"] == "bilirubin_total"
    assert "1 changes" in result.output


def test_a_faulty_page_is_told_in_sentences(pages: Path) -> None:
    (pages / "rules.yaml").write_text("- id: x\n", "utf-8")
    result = CliRunner().invoke(app, ["protocol", "diff", str(pages)])
    assert result.exit_code == 2


def test_contracts_are_exported_to_the_named_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["contracts", "export", "--to", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").glob("*.odcs.yaml"))) == 2
