"""The one kind of error a user can cause and mend: sentences, all at once, no traceback.

What does not belong here: errors of the program itself, which keep their traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Something a user asked for that cannot be: each problem says what, why not, and what to try."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))
