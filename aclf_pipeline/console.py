"""What every command shares: where it prints, and how a user's mistake is told.

What does not belong here: any command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from aclf_pipeline.errors import UserError

# Text of the hospital may look like markup or an emoji's name; it is shown as it was delivered.
console = Console(emoji=False)
if not console.is_terminal and "COLUMNS" not in os.environ:
    console.width = 160  # a log has no window: tables of many columns must not be folded into eighty

errors = Console(emoji=False, stderr=True)


@contextmanager
def plain_errors() -> Iterator[None]:
    """A user's mistake ends in a sentence and exit code 2, never in a traceback."""
    try:
        yield
    except UserError as error:
        refuse(error.problems)


def refuse(problems: Sequence[str]) -> NoReturn:
    """Tell every problem and end with exit code 2."""
    for problem in problems:
        errors.print(f"[red]✗[/red] {escape(problem)}", highlight=False, soft_wrap=True)
    raise typer.Exit(2) from None
