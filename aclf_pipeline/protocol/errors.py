"""What a reader of the pages is told: every problem at once, in plain words, with the likeliest right word.

What does not belong here: finding the problems.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from aclf_pipeline.errors import UserError


class ProtocolError(UserError):
    """The pages cannot be used. `problems` holds one sentence per problem, in the order of the pages."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        count = len(self.problems)
        head = "The protocol has a problem:" if count == 1 else f"The protocol has {count} problems:"
        self.args = ("\n".join([head, *(f"  - {problem}" for problem in self.problems)]),)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The end of a sentence: ` Did you mean 'x'?`, or nothing when no known word resembles `word`."""
    options = sorted(set(known))
    near = difflib.get_close_matches(str(word), options, n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def none_of(word: object, choices: Iterable[str]) -> str:
    """The end of a sentence about a word that is not among a few: `which is none of a, b. Did you mean 'a'?`"""
    options = list(choices)
    return f"which is none of {', '.join(options)}.{did_you_mean(word, options)}"
