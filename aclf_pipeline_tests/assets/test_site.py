"""A folder of pages changes at once: whoever looks sees all of the old or all of the new."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aclf_pipeline.assets import site
from aclf_pipeline.assets.site import renewed, replace_page, write_downloads, write_pages

OWN = ("validation.html", "rules")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pages = tmp_path / "reports" / "study"
    write_pages(pages, [("validation.html", "old"), ("rules/gone.html", "old"), ("study.html", "theirs")])
    write_pages(pages, [("data_docs/index.html", "theirs")])
    return pages


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_new_takes_the_place_of_the_old_and_the_pages_of_others_stay(folder: Path) -> None:
    with renewed(folder, OWN) as new:
        write_pages(new, [("validation.html", "new"), ("rules/kept.html", "new")])
        write_downloads(new, [("rules/kept/rows.csv", lambda stream: stream.write(b"rows"))])
        assert contents(folder)["validation.html"] == "old"
    assert contents(folder) == {
        "validation.html": "new",
        "rules/kept.html": "new",
        "rules/kept/rows.csv": "rows",
        "study.html": "theirs",
        "data_docs/index.html": "theirs",
    }
    assert [path.name for path in folder.parent.iterdir()] == ["study"]


def test_when_making_it_fails_the_old_stays_as_it_was(folder: Path) -> None:
    before = contents(folder)

    def make() -> None:
        with renewed(folder, OWN) as new:
            write_pages(new, [("validation.html", "half")])
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        make()
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["study"]


def test_what_an_interrupted_swap_left_is_put_right(folder: Path) -> None:
    (folder.parent / ".study.new").mkdir()
    folder.rename(folder.parent / ".study.old")
    with renewed(folder, OWN) as new:
        write_pages(new, [("validation.html", "new")])
    assert contents(folder)["validation.html"] == "new"
    assert contents(folder)["study.html"] == "theirs"
    assert [path.name for path in folder.parent.iterdir()] == ["study"]


def test_the_first_site_needs_no_folder(tmp_path: Path) -> None:
    with renewed(tmp_path / "reports" / "study", OWN) as new:
        write_pages(new, [("validation.html", "new")])
    assert contents(tmp_path) == {"reports/study/validation.html": "new"}


def test_a_disk_without_links_gets_copies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr(site.os, "link", refuse)
    with renewed(folder, OWN) as new:
        write_pages(new, [("validation.html", "new")])
    assert contents(folder)["data_docs/index.html"] == "theirs"


def test_a_page_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "study.html"
    path.write_text("old")
    os.link(path, tmp_path / "kept")
    assert replace_page(path, "new") == path
    assert (path.read_text(), (tmp_path / "kept").read_text()) == ("new", "old")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["kept", "study.html"]
