"""The sql folder as a graph: one table per file, parents read from the query, built in an order that holds.

A file's name says its table and for whom it is: `<source>__<kind>.sql` in staging, `<study>__<name>.sql` where only one
study has it. Its first comment says what the table is and its grain ("one row per …").

What does not belong here: SQL, and the tables that science makes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import polars as pl

from aclf_pipeline.contracts import KINDS, Contract, empty_frame, promises
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.warehouse.connection import Warehouse, WarehouseError, quoted
from aclf_pipeline.warehouse.ledger_tables import LEDGER_TABLES
from aclf_pipeline.warehouse.lineage import Lineage, output_columns, parse, tables_in
from aclf_pipeline.warehouse.rules_tables import RULES_COLUMNS
from aclf_pipeline.warehouse.sources import Source, load_source

READS = {
    "staging": {"raw", "mapping", "rules", "quality", "staging"},
    "intermediate": {"core", "mapping", "rules", "quality", "intermediate"},
    "marts": {"core", "mapping", "rules", "quality", "intermediate", "marts"},
}
"""Which schemas the queries of a schema may read: no step goes back, and nothing after the gate reads before it."""

MADE_BY_SCIENCE = ("marts.cohort", "marts.eligibility", "marts.attrition", "marts.cohort_provenance", "marts.intervals")
ABSENT_KINDS, ABSENT_COLUMNS = "mapping.absent_kinds", ("kind", "reason")
"""Which kinds a source declares absent: a query tells from it what was not done from what was not recorded."""
_HEADER = re.compile(r"\s*((?:--[^\n]*\n)+|/\*.*?\*/)", re.DOTALL)
_GRAIN = re.compile(r"one row per[^.]*", re.IGNORECASE)


class GraphError(UserError):
    """The sql folder does not fit together; every problem is told."""


@dataclass(frozen=True)
class Model:
    """One table made by SQL. An absent kind has no query: it is built empty, from its contract."""

    schema: str
    name: str
    path: Path | None
    sql: str
    says: str
    grain: str
    parents: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    columns_lineage: Lineage = field(default_factory=dict)

    @property
    def table(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"


def load_graph(sql_dir: Path, source: str, study: str) -> list[Model]:
    """Every model of a source and study, parents before children.

    Raises GraphError naming every file without a header comment, every unknown or forbidden parent, every table made
    twice and every circle, all at once.
    """
    sql_dir = Path(sql_dir)
    page = load_source(sql_dir / "staging" / source)
    problems: list[str] = []
    read: list[Model] = []
    models: dict[str, Model] = {}
    for schema, name, path in _files(sql_dir, source, study, problems):
        model = _read(schema, name, path, sql_dir, problems)
        if model is None:
            continue
        if model.table in models:
            problems.append(f"{_shown(path, sql_dir)}: makes {model.table}, which {models[model.table].path} makes too")
        read.append(model)
        models[model.table] = model
    outside = _outside(sql_dir, page)
    problems += _parent_problems(read, outside, set(page.absent), sql_dir)
    order = _ordered(models, problems)
    if problems:
        raise GraphError(problems)
    return _with_lineage([models[name] for name in order], outside)


def parents_of(sql: str) -> tuple[str, ...]:
    """The tables a query reads, as `schema.name`, in order of appearance."""
    return tuple(tables_in(parse(sql))[0])


def load_audits(sql_dir: Path) -> dict[str, str]:
    """Rule id → text of its audit `audits/<rule_id>.sql`; and `_<name>` → text of `audits/_<name>.sql`.

    The latter are views that audits share: they belong to no rule and are read as `audit.<name>`. Raises GraphError
    naming every view that has no header or that no audit reads, every name that is no view, and circles, all at once.
    """
    audits = {path.stem: path.read_text("utf-8") for path in sorted(Path(sql_dir).glob("audits/*.sql"))}
    problems: list[str] = []
    read = {name: _views_read(name, text, problems) for name, text in audits.items()}
    views = sorted(name for name in audits if name.startswith("_"))
    for name, text in audits.items():
        if name in views and not ((header := _HEADER.match(text)) and _GRAIN.search(_comment(header[1]))):
            problems.append(f"sql/audits/{name}.sql: must begin with a comment that says what it is and its grain")
        for view in (view for view in read[name] if view not in views):
            near = did_you_mean(f"audit.{view[1:]}", (f"audit.{known[1:]}" for known in views))
            problems.append(f"sql/audits/{name}.sql: reads audit.{view[1:]}, and there is no {view}.sql.{near}")
    try:
        list(TopologicalSorter({view: [v for v in read[view] if v in views] for view in views}).static_order())
    except CycleError as error:
        problems.append(f"These views of sql/audits read each other in a circle: {' → '.join(error.args[1][::-1])}")
    else:
        used = {view for name in audits if name not in views for view in shared_views(audits, audits[name])}
        problems += [
            f"sql/audits/{view}.sql: no audit reads it as audit.{view[1:]}" for view in views if view not in used
        ]
    if problems:
        raise GraphError(problems)
    return audits


def _views_read(name: str, sql: str, problems: list[str]) -> list[str]:
    """The views a query of the audits reads, by the names of their files."""
    try:
        return [f"_{table.split('.')[1]}" for table in parents_of(sql) if table.startswith("audit.")]
    except ValueError as error:
        problems.append(f"sql/audits/{name}.sql: cannot be read as SQL: {error}")
        return []


def shared_views(audits: Mapping[str, str], sql: str) -> dict[str, str]:
    """`_<name>` → text of every view a query needs, those that others read first; what is no view is left out."""
    found: dict[str, str] = {}
    if "audit." in sql.lower():
        for view in (f"_{table.split('.')[1]}" for table in parents_of(sql) if table.startswith("audit.")):
            if view in audits:
                found |= {**shared_views(audits, audits[view]), view: audits[view]}
    return found


def audit_parents(audits: Mapping[str, str], rule_id: str) -> tuple[str, ...]:
    """The tables behind an audit, as `schema.name`: those it reads and those the views it reads are made from."""
    sql = audits[rule_id]
    texts = [*shared_views(audits, sql).values(), sql]
    parents = dict.fromkeys(parent for text in texts for parent in parents_of(text))
    return tuple(parent for parent in parents if not parent.startswith("audit."))


def absent_models(source: Source) -> list[Model]:
    """One empty staging table per kind the source declares absent."""
    return [
        Model("staging", kind, None, "", f"Absent from source {source.id}: {reason}", "no row")
        for kind, reason in source.absent.items()
    ]


def build(wh: Warehouse, model: Model, contract: type[Contract] | None = None) -> int:
    """Make a model's table anew and give its number of rows.

    A model without a query is built empty from its contract. Raises WarehouseError, naming the file, when DuckDB cannot
    run the query; the table is then as it was.
    """
    if not model.sql:
        contract = contract or KINDS[model.name]
        wh.write(model.table, empty_frame(contract))
        return 0
    try:
        wh.execute(f"create or replace table {quoted(model.table)} as\n{model.sql.strip().rstrip(';')}")
    except WarehouseError:
        raise
    except Exception as error:
        raise WarehouseError(f"{model.path}: {model.table} cannot be made: {error}") from error
    return int(wh.scalar(f"select count(*) from {quoted(model.table)}"))


def mapping_tables(sql_dir: Path, source: str) -> list[str]:
    """The tables that the mapping files of a source become, and the one of the kinds it declares absent."""
    return [*(f"mapping.{name}" for name in _mapping_files(sql_dir, source)), ABSENT_KINDS]


def load_mappings(wh: Warehouse, sql_dir: Path, source: str) -> dict[str, int]:
    """Load `<source>__<name>.csv` as `mapping.<name>`, all text, blank cells null, and the kinds that the source
    declares absent with their reasons as `mapping.absent_kinds`; gives the rows of each table.
    """
    rows = {}
    for name, path in _mapping_files(sql_dir, source).items():
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *body = [row for row in csv.reader(file) if row]
        if wrong := [number for number, row in enumerate(body, start=2) if len(row) != len(header)]:
            raise GraphError(f"{path.name}: row {wrong[0]} has another number of fields than the header")
        frame = pl.DataFrame(
            [[cell or None for cell in row] for row in body], schema=dict.fromkeys(header, pl.String), orient="row"
        )
        wh.write(f"mapping.{name}", frame)
        rows[f"mapping.{name}"] = frame.height
    absent = load_source(Path(sql_dir) / "staging" / source).absent
    frame = pl.DataFrame(list(absent.items()), schema=dict.fromkeys(ABSENT_COLUMNS, pl.String), orient="row")
    wh.write(ABSENT_KINDS, frame)
    return {**rows, ABSENT_KINDS: frame.height}


def _mapping_files(sql_dir: Path, source: str) -> dict[str, Path]:
    folder = Path(sql_dir) / "staging" / source
    return {path.stem.split("__", 1)[-1]: path for path in sorted(folder.glob(f"{source}__*.csv"))}


def _files(sql_dir: Path, source: str, study: str, problems: list[str]) -> Iterable[tuple[str, str, Path]]:
    """(schema, table name, file) of every file that is for this source and study."""
    for path in sorted((sql_dir / "staging" / source).glob("*.sql")):
        prefix, found, name = path.stem.partition("__")
        if not found or prefix != source:
            problems.append(f"{_shown(path, sql_dir)}: must be named {source}__<kind>.sql")
        elif name not in KINDS:
            problems.append(
                f"{_shown(path, sql_dir)}: '{name}' is no kind.{did_you_mean(name, KINDS)} There are: {_and(KINDS)}."
            )
        else:
            yield "staging", name, path
    for schema in ("intermediate", "marts"):
        for path in sorted((sql_dir / schema).glob("*.sql")):
            prefix, found, name = path.stem.partition("__")
            if not found:
                yield schema, path.stem, path
            elif prefix in (study, source):
                yield schema, name, path


def _read(schema: str, name: str, path: Path, sql_dir: Path, problems: list[str]) -> Model | None:
    """A model, without lineage."""
    text, where = path.read_text("utf-8"), _shown(path, sql_dir)
    header = _HEADER.match(text)
    said = _comment(header[1]) if header else ""
    grain = _GRAIN.search(said)
    if grain is None:
        problems.append(
            f"{where}: must begin with a comment that says what the table is and its grain, 'one row per …'"
        )
    try:
        tree = parse(text)
    except ValueError as error:
        problems.append(f"{where}: cannot be read as SQL: {error}")
        return None
    parents, bare = tables_in(tree)
    problems += [f"{where}: reads '{table}' without its schema; write schema.{table}" for table in bare]
    if grain is None:
        return None
    says = " ".join((said[: grain.start()] + said[grain.end() :].lstrip(". ")).split())
    return Model(schema, name, path, text, says or grain[0].strip(), grain[0].strip(), tuple(parents))


def _comment(block: str) -> str:
    lines = block.removeprefix("/*").removesuffix("*/").splitlines()
    return "\n".join(line.strip().removeprefix("--").removeprefix("*").strip() for line in lines).strip()


def _shown(path: Path, sql_dir: Path) -> str:
    return f"sql/{path.relative_to(sql_dir)}"


def _outside(sql_dir: Path, page: Source) -> dict[str, tuple[str, ...]]:
    """Tables that no model makes, with their columns."""
    mapped = {}
    for name, path in _mapping_files(sql_dir, page.id).items():
        with path.open(encoding="utf-8-sig", newline="") as file:
            mapped[f"mapping.{name}"] = tuple(next(csv.reader(file), ()))
    return {
        **{page.raw_table(form_id): ("_row_id", *form.stored) for form_id, form in page.files.items()},
        **mapped,
        ABSENT_KINDS: ABSENT_COLUMNS,
        **RULES_COLUMNS,
        **LEDGER_TABLES,
        **{f"staging.{kind}": _promised(kind) for kind in page.absent if kind in KINDS},
        **{f"core.{kind}": _promised(kind) for kind in KINDS},
        **dict.fromkeys(MADE_BY_SCIENCE, ()),
    }


def _promised(kind: str) -> tuple[str, ...]:
    return tuple(promise.name for promise in promises(KINDS[kind]))


def _parent_problems(
    models: Iterable[Model], outside: Mapping[str, object], absent: set[str], sql_dir: Path
) -> Iterable[str]:
    models = list(models)
    made = {model.table for model in models}
    known = made | set(outside)
    for kind in sorted(absent - set(KINDS)):
        yield f"source.yaml: absent names '{kind}', which is no kind.{did_you_mean(kind, KINDS)}"
    for kind in sorted(kind for kind in absent if f"staging.{kind}" in made):
        yield f"source.yaml: '{kind}' is declared absent, and there is a query for it"
    for model in models:
        where = _shown(model.path, sql_dir) if model.path else model.table
        for parent in model.parents:
            if parent not in known:
                yield f"{where}: reads {parent}, which nothing makes.{did_you_mean(parent, known)}"
            elif parent.split(".")[0] not in READS[model.schema]:
                yield f"{where}: {model.schema} may not read {parent}; it may read {_and(READS[model.schema])}"


def _and(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _ordered(models: Mapping[str, Model], problems: list[str]) -> list[str]:
    """Tables with parents before children, otherwise in the order of the files."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    staged = [name for name in models if name.startswith("staging.")]
    for name, model in models.items():
        own = [parent for parent in model.parents if parent in models]
        gate = staged if any(parent.startswith("core.") for parent in model.parents) else []
        sorter.add(name, *own, *gate)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        problems.append(f"These tables read each other in a circle: {' → '.join(reversed(error.args[1]))}")
        return []


def _with_lineage(models: list[Model], outside: Mapping[str, tuple[str, ...]]) -> list[Model]:
    known = dict(outside)
    finished = []
    for model in models:
        columns, lineage = output_columns(model.sql, {p: known.get(p, ()) for p in model.parents})
        known[model.table] = columns
        finished.append(replace(model, columns=columns, columns_lineage=lineage))
    return finished
