"""What a query reads: its parent tables, and for each output column the table columns it is computed from.

Column lineage names what flows into a value, not what filters or joins decide. It is best effort, and never silently
wrong: where one source of a column cannot be told, the column's lineage is empty.

What does not belong here: which files make which tables (`graph`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

Node = Any
"""A node of sqlglot's tree; its classes are not typed alike in its pure and its compiled form."""

Lineage = dict[str, tuple[tuple[str, str], ...]]
Columns = Mapping[str, Sequence[str]]


@lru_cache(maxsize=1024)
def parse(sql: str) -> Node:
    """The one statement of a text, read once: a tree to look at, or to copy.

    Raises ValueError with sqlglot's words when it is none, or several.
    """
    try:
        statements = [statement for statement in sqlglot.parse(sql, dialect="duckdb") if statement is not None]
    except SqlglotError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ValueError("it must be exactly one query (select … or with … select …)")
    return statements[0]


def tables_in(tree: Node) -> tuple[list[str], list[str]]:
    """Tables a query reads as `schema.name`, in order of appearance; and names that lack their schema."""
    named: dict[str, None] = {}
    bare: dict[str, None] = {}
    ctes = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue
        if table.db:
            named.setdefault(f"{table.db}.{table.name}".lower())
        elif table.name.lower() not in ctes:
            bare.setdefault(table.name)
    return list(named), list(bare)


def output_columns(sql: str, known: Columns) -> tuple[tuple[str, ...], Lineage]:
    """Output columns of a query in order, and the lineage of each; `known` are the columns of its parents.

    When the query cannot be resolved against `known`, the columns that are named in it come without lineage. Raises
    ValueError as `parse` does.
    """
    return _output_columns(sql, tuple((table, tuple(columns)) for table, columns in known.items()))


@lru_cache(maxsize=1024)
def _output_columns(sql: str, known: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[tuple[str, ...], Lineage]:
    tree = parse(sql)
    schema: dict[str, Any] = {}
    for table, columns in known:
        db, name = table.split(".", 1)
        schema.setdefault(db, {})[name] = dict.fromkeys(columns, "varchar")
    try:
        qualified = qualify(
            tree.copy(),
            dialect="duckdb",
            schema=schema,
            validate_qualify_columns=False,
            quote_identifiers=False,
            identify=False,
        )
        scope = build_scope(qualified)
    except SqlglotError:
        return tuple(name for name in tree.named_selects if name != "*"), {}
    if scope is None:
        return tuple(tree.named_selects), {}
    names = tuple(qualified.named_selects)
    tracer = _Tracer()
    found = {name: tracer.column(scope, name) for name in names}
    return names, {name: tuple(sorted(sources)) for name, sources in found.items() if sources is not None}


class _Tracer:
    """Follows columns down through scopes; None stands for 'cannot be told'."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], frozenset[tuple[str, str]] | None] = {}

    def column(self, scope: Scope, name: str) -> frozenset[tuple[str, str]] | None:
        """The table columns behind an output column of a scope."""
        key = (id(scope), name)
        if key not in self._seen:
            # a recursive query comes back here: what it adds to itself is nothing new
            self._seen[key] = frozenset()
            self._seen[key] = self._column(scope, name)
        return self._seen[key]

    def _column(self, scope: Scope, name: str) -> frozenset[tuple[str, str]] | None:
        if scope.set_operation_scopes:
            place = self._place(scope.set_operation_scopes[0], name)
            if place is None:
                return None
            branches = [
                self.column(branch, names[place]) if place < len(names := _names(branch)) else None
                for branch in scope.set_operation_scopes
            ]
            return self._together(branches)
        if not isinstance(scope.expression, exp.Select):
            return None
        projections = [p for p in scope.expression.selects if p.alias_or_name == name]
        return self._expression(scope, projections[0]) if len(projections) == 1 else None

    @staticmethod
    def _place(scope: Scope, name: str) -> int | None:
        while scope.set_operation_scopes:
            scope = scope.set_operation_scopes[0]
        names = _names(scope)
        return names.index(name) if names.count(name) == 1 else None

    def _expression(self, scope: Scope, projection: Node) -> frozenset[tuple[str, str]] | None:
        if projection.find(exp.Star) and not projection.find(exp.Count):
            return None
        inner = {
            id(column): sub
            for sub in scope.subquery_scopes
            if projection in _ancestors(sub.expression)
            for column in sub.expression.find_all(exp.Column)
        }
        sources = []
        for column in projection.find_all(exp.Column):
            if id(column) in inner:
                continue
            sources.append(self._source(scope, column))
        for sub in {id(s): s for s in inner.values()}.values():
            sources += [self.column(sub, name) for name in _names(sub)]
        return self._together(sources)

    def _source(self, scope: Scope, column: exp.Column) -> frozenset[tuple[str, str]] | None:
        behind = scope.sources.get(column.table)
        if isinstance(behind, exp.Table) and behind.db:
            return frozenset({(f"{behind.db}.{behind.name}".lower(), column.name)})
        if isinstance(behind, Scope) and column.name in _names(behind):
            return self.column(behind, column.name)
        return None

    @staticmethod
    def _together(
        sources: Sequence[frozenset[tuple[str, str]] | None],
    ) -> frozenset[tuple[str, str]] | None:
        known = [source for source in sources if source is not None]
        return frozenset().union(*known) if len(known) == len(sources) else None


def _names(scope: Scope) -> list[str]:
    expression: Node = scope.expression
    return list(expression.named_selects)


def _ancestors(node: Node) -> list[Node]:
    found = []
    parent: Node | None = node
    while parent is not None:
        found.append(parent)
        parent = parent.parent
    return found
