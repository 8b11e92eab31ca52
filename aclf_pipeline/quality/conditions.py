"""A condition of a page as each engine runs it: DuckDB in the gate, Polars in the oracle.

Both readings mean the same, nulls, NaN and division included, and a property test holds them together: NaN is equal to
itself and above every number, `/` never truncates, a decimal is a double, letters compare by code point, `~` looks for
its pattern anywhere, and digits, letters and blanks of a pattern (\\d, \\w, \\s) are those of ASCII. Only changes of
case differ, for letters whose other case is several letters or depends on its place (ß, İ, Σ).

What does not belong here: which rows a condition is put to (`executor`), and whether a page may say it (`protocol`).
"""

from __future__ import annotations

import re

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType

_REGEX_TEST = re.compile(r"\bregexp_matches\(", re.IGNORECASE)
_CLASSES = {r"\d": "[0-9]", r"\w": "[0-9A-Za-z_]", r"\s": r"[\t\n\f\r ]"}


def in_duckdb(holds: str) -> str:
    """The condition as SQL: columns quoted, decimals as doubles, since decimals of DuckDB are exact and overflow.

    Raises sqlglot's ParseError when it is no SQL.
    """
    return sqlglot.parse_one(holds, dialect="duckdb").transform(_plain).sql(dialect="duckdb")


def _plain(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Literal) and not node.is_string and not node.is_int:
        return exp.Cast(this=node.copy(), to=exp.DataType.build("double"))
    if isinstance(node, exp.Column):
        return exp.column(node.name, quoted=True)
    return node


def in_polars(holds: str) -> pl.Expr:
    """The condition as an expression; Polars names the test for a pattern otherwise, and reads 0.1 as a decimal.

    Raises polars.exceptions.PolarsError when it is none.
    """
    text = holds
    for token in reversed(sqlglot.tokenize(holds, dialect="duckdb")):
        if token.token_type == TokenType.NUMBER and "." in token.text and "e" not in token.text.lower():
            text = f"{text[: token.end + 1]}e0{text[token.end + 1 :]}"
    for letter, listed in _CLASSES.items():
        text = text.replace(letter, listed)
    return pl.sql_expr(_REGEX_TEST.sub("regexp_like(", text))
