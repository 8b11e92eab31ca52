"""A folder of pages that changes at once: made anew beside the old one, then put in its place.

Whoever looks sees the old pages or the new ones, never some of each. Pages of rules that are gone go with the old
folder; what others keep in the same folder comes along.

What does not belong here: what is in the pages (reports) and what they are made from (pages).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

Download = tuple[str, Callable[[BinaryIO], int]]
"""Where a download lies, and what writes it onto an open stream."""


@contextmanager
def renewed(folder: Path, own: Collection[str]) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends; if it fails, the old one stays as it was.

    `own` are the names in it that are made anew; everything else comes along as it is.
    """
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    if old.exists() and not folder.exists():
        # an earlier process ended between the two renames below
        old.rename(folder)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        _carry(folder, new, own)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _carry(folder: Path, new: Path, own: Collection[str]) -> None:
    """Give the new folder what is not its own, as links to the same bytes where the disk can do that."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in own:
            continue
        if path.is_dir():
            shutil.copytree(path, new / path.name, copy_function=_link)
        else:
            _link(path, new / path.name)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_pages(folder: Path, pages: Iterable[tuple[str, str]]) -> None:
    """Write each page at its place below the folder."""
    for place, page in pages:
        _opened(folder / place).write_text(page, "utf-8")


def write_downloads(folder: Path, downloads: Iterable[Download]) -> None:
    """Write each download at its place below the folder."""
    for place, write in downloads:
        with _opened(folder / place).open("wb") as stream:
            write(stream)


def replace_page(path: Path, page: str) -> Path:
    """Write one page so that nobody sees half of it."""
    beside = _opened(path).with_name(f".{path.name}.new")
    beside.write_text(page, "utf-8")
    return beside.replace(path)


def _opened(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
