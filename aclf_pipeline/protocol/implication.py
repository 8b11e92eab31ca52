"""Which of two flat conditions asks more: told from their form, never from data.

A condition *keeps* a row when it is not false; what is missing counts as kept. One condition is tighter than another
when it can be seen that every row it keeps is kept by the other.

What does not belong here: whether a condition is well formed (proofread.py) and what follows from a tighter one (diff).
"""

from __future__ import annotations

from typing import Literal

import sqlglot
from sqlglot import exp

Compared = Literal["same", "tighter", "looser", "other"]

_LESS, _MORE = (exp.LT, exp.LTE), (exp.GT, exp.GTE)
_MIRRORED: dict[type[exp.Expr], type[exp.Binary]] = {
    exp.LT: exp.GT, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.GTE: exp.LTE, exp.EQ: exp.EQ, exp.NEQ: exp.NEQ,
}  # fmt: skip


def compared(old: str, new: str) -> Compared:
    """How `new` stands to `old`; `other` when neither is seen to follow from the other."""
    before, after = _plain(old), _plain(new)
    onward, back = _follows(after, before), _follows(before, after)
    if onward and back:
        return "same"
    return "tighter" if onward else "looser" if back else "other"


def _plain(condition: str) -> exp.Expr:
    """The condition without parentheses, `between` as two comparisons, columns to the left of literals."""
    whole = exp.Paren(this=sqlglot.parse_one(condition, dialect="duckdb"))
    for paren in list(whole.this.find_all(exp.Paren)):
        paren.replace(paren.this)
    return whole.this.transform(_simpler)


def _simpler(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Between):
        least = exp.GTE(this=node.this, expression=node.args["low"])
        return exp.And(this=least, expression=exp.LTE(this=node.this.copy(), expression=node.args["high"]))
    if type(node) in _MIRRORED and _literal(node.this) is not None and _literal(node.expression) is None:
        return _MIRRORED[type(node)](this=node.expression, expression=node.this)
    return node


def _follows(given: exp.Expr, asked: exp.Expr) -> bool:
    """Whether every row that `given` keeps is seen to be kept by `asked`."""
    if given == asked:
        return True
    if isinstance(given, exp.Or):
        return _follows(given.left, asked) and _follows(given.right, asked)
    if isinstance(asked, exp.And):
        return _follows(given, asked.left) and _follows(given, asked.right)
    if isinstance(given, exp.And) and (_follows(given.left, asked) or _follows(given.right, asked)):
        return True
    if isinstance(asked, exp.Or) and (_follows(given, asked.left) or _follows(given, asked.right)):
        return True
    if isinstance(given, exp.Not) and isinstance(asked, exp.Not):
        return _follows(asked.this, given.this)
    return _bounded(given, asked) or _listed(given, asked)


def _bounded(given: exp.Expr, asked: exp.Expr) -> bool:
    """`x <= 3` gives `x <= 5`: the same side of the same column, held to a number at least as strict."""
    if not (isinstance(given, exp.Binary) and isinstance(asked, exp.Binary) and given.this == asked.this):
        return False
    have, want = _number(given.expression), _number(asked.expression)
    if have is None or want is None:
        return False
    strict = isinstance(given, exp.LT | exp.GT) or not isinstance(asked, exp.LT | exp.GT)
    if isinstance(given, _LESS) and isinstance(asked, _LESS):
        return have < want or (have == want and strict)
    if isinstance(given, _MORE) and isinstance(asked, _MORE):
        return have > want or (have == want and strict)
    return False


def _listed(given: exp.Expr, asked: exp.Expr) -> bool:
    """A shorter list of the same column gives a longer one; one word gives every list it is in."""
    have, want = _words(given), _words(asked)
    return have is not None and want is not None and have[0] == want[0] and have[1] <= want[1]


def _words(node: exp.Expr) -> tuple[exp.Expr, frozenset[str]] | None:
    if isinstance(node, exp.EQ):
        word = _literal(node.expression)
        return None if word is None else (node.this, frozenset({word}))
    if isinstance(node, exp.In) and node.expressions:
        words = [_literal(item) for item in node.expressions]
        return None if None in words else (node.this, frozenset(word for word in words if word is not None))
    return None


def _literal(node: exp.Expr) -> str | None:
    """A literal as text that differs for a number and a word."""
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return f"-{node.this.this}"
    return node.sql(dialect="duckdb") if isinstance(node, exp.Literal) else None


def _number(node: exp.Expr) -> float | None:
    if isinstance(node, exp.Neg):
        inner = _number(node.this)
        return None if inner is None else -inner
    return float(node.this) if isinstance(node, exp.Literal) and not node.is_string else None
