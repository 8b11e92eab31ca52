"""`aclf bench …`: measurements of the house. Every command imports what it measures only when it runs.

What does not belong here: measuring; a command reads options, calls one function of the room and prints.
"""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from aclf_pipeline.console import plain_errors

app = typer.Typer(
    name="bench", help="Measure the house: its speed, and what it detects.", no_args_is_help=True, add_completion=False
)


@app.command()
def detection(
    persons: Annotated[int, typer.Option(min=40, help="Persons in each simulated hospital")] = 300,
    seeds: Annotated[str, typer.Option(help="Seeds of the simulation, comma-separated")] = "1,2,3",
    rates: Annotated[str, typer.Option(help="Factors on how often damage is planted, comma-separated")] = "1",
    profiles: Annotated[
        str, typer.Option(help="Profiles, comma-separated; `broken` stands for every broken:<defect>")
    ] = "standard,broken,clean",
    mutation: Annotated[
        bool, typer.Option(help="Also remove every rule and loosen its figures, on `standard`")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="File to write everything to")] = None,
) -> None:
    """Plant every class of damage and count what the gate meets, with which rule, and whom it accuses wrongly."""
    from aclf_pipeline.bench.detection_report import print_detection, run_and_collect

    with plain_errors():
        found = run_and_collect(persons, seeds, rates, profiles, mutation=mutation)
    print_detection(found)
    if json is not None:
        json.write_text(dumps(found.plain(), ensure_ascii=False, indent=1, default=str), "utf-8")
