"""`aclf contracts …` and `aclf protocol …`: contracts in a form others read, and two versions of the pages compared.

What does not belong here: work; a command reads options, calls one function of the room and prints.
"""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from aclf_pipeline.console import console, plain_errors
from aclf_pipeline.settings import Settings

contracts = typer.Typer(
    name="contracts", help="What tables promise, for other tools.", no_args_is_help=True, add_completion=False
)
protocol = typer.Typer(name="protocol", help="The pages of the protocol.", no_args_is_help=True, add_completion=False)

_COLOURS = {"breaking": "red", "results": "yellow", "harmless": "green"}


@contracts.callback()
def _contracts() -> None:
    """What tables promise, for other tools."""


@protocol.callback()
def _protocol() -> None:
    """The pages of the protocol."""


@contracts.command()
def export(
    to: Annotated[Path | None, typer.Option(help="Folder to write to [default: contracts, below the home]")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder with the warehouse [ACLF_HOME, default: data]")] = None,
) -> None:
    """Write contracts and rules of every study as Open Data Contract Standard v3.1 documents."""
    from aclf_pipeline.assets.exchange import export_contracts

    with plain_errors():
        settings = Settings() if home is None else Settings(home=home)
        for path in export_contracts(settings, to or settings.root / "contracts"):
            console.print(str(path), highlight=False, markup=False, soft_wrap=True)


@protocol.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A folder of pages, a release, or the protocol.json of one")],
    new: Annotated[Path | None, typer.Argument(help="The same [default: the pages in use]")] = None,
    fail_on: Annotated[
        Literal["breaking", "results"] | None, typer.Option(help="End with 1 at a change as grave as this")
    ] = None,
    study: Annotated[str | None, typer.Option(help="Study, a folder of protocol/studies [ACLF_STUDY]")] = None,
    json: Annotated[Path | None, typer.Option(help="File to write the changes to")] = None,
) -> None:
    """List every change between two versions of the protocol, and whether it is breaking or changes results."""
    from aclf_pipeline.assets.exchange import snapshot_at
    from aclf_pipeline.protocol.change import EFFECTS
    from aclf_pipeline.protocol.diff import compare, worst

    with plain_errors():
        settings = Settings() if study is None else Settings(study=study)
        before, after = (snapshot_at(settings, path or settings.protocol) for path in (old, new))
        changes = compare(before, after)
    drawn = Table(title=f"{before.digest[:12]} → {after.digest[:12]}", title_justify="left")
    for name in ("effect", "page", "stanza", "what", "in words"):
        drawn.add_column(name, overflow="fold")
    for change in changes:
        effect = Text(change.effect, style=_COLOURS[change.effect])
        drawn.add_row(effect, *(Text(cell) for cell in (change.page, change.name, change.what, change.says)))
    if changes:
        console.print(drawn)
    counted = ", ".join(f"{sum(c.effect == effect for c in changes)} {effect}" for effect in EFFECTS)
    console.print(f"{len(changes)} changes: {counted}" if changes else "No change.", highlight=False)
    if json is not None:
        json.write_text(dumps([vars(change) for change in changes], ensure_ascii=False, indent=1) + "\n", "utf-8")
    gravest = worst(changes)
    if fail_on is not None and gravest is not None and EFFECTS.index(gravest) <= EFFECTS.index(fail_on):
        raise typer.Exit(1)
