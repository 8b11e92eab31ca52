"""`aclf source …`: drafts of sources.

What does not belong here: looking at files and writing the draft (`draft`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aclf_pipeline.console import console, plain_errors

app = typer.Typer(name="source", help="Sources of data: draft a new one.", no_args_is_help=True, add_completion=False)


@app.callback()
def source() -> None:
    """Sources of data: draft a new one."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the source: a-z, 0-9 and _")],
    exports: Annotated[Path, typer.Option("--from", help="Folder with exports nobody has described yet")],
    into: Annotated[Path | None, typer.Option(help="Folder of sources [default: sql/staging]")] = None,
) -> None:
    """Look at a folder of unknown exports and draft its source: everything a guess, for a person to finish."""
    from aclf_pipeline.onboarding.draft import figures, new_source
    from aclf_pipeline.protocol import load_protocol
    from aclf_pipeline.settings import Settings

    settings = Settings()
    with plain_errors(), console.status("looking at every file"):
        protocol = load_protocol(settings.protocol, settings.study)
        folder, draft = new_source(name, exports, into or settings.sql / "staging", protocol)
    for what, told in figures(draft).items():
        console.print(f"{what}: {told}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"A draft is in {folder}. It is refused until a person has finished it: begin with {folder / 'draft.md'}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
