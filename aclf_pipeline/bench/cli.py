"""`aclf bench …`: measurements of the house. Every command imports what it measures only when it runs.

What does not belong here: measuring; a command reads options, calls one function of the room and prints.
"""

from __future__ import annotations

import typer

app = typer.Typer(
    name="bench", help="Measure the house: its speed, and what it detects.", no_args_is_help=True, add_completion=False
)
