"""The house rules of the README, each as a test. Rule 8 (no identifier anywhere) runs a whole refresh: test_privacy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from aclf_pipeline.assets.house import promised_columns
from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import load_protocol, proofread
from aclf_pipeline.warehouse.graph import load_audits, load_graph

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aclf_pipeline"
SQL = ROOT / "sql"
STUDIES = {"nct07198854": "his", "icu_cirrhosis": "clif"}

LIBRARY_ROOMS = {
    "charset_normalizer": {"onboarding"},
    "clevercsv": {"onboarding"},
    "dagster": {"assets", "definitions.py"},
    "duckdb": {"warehouse"},
    "great_expectations": {"quality", "bench"},  # in the bench as peers of the gate
    "lifelines": {"science", "bench"},  # in the bench as a peer
    "pandera": {"contracts", "quality", "bench"},
}
FLOORS = [
    {"errors.py", "__init__.py"},
    {"protocol", "settings.py", "console.py"},
    {"warehouse", "contracts", "science"},
    {"quality", "simulate", "reports", "onboarding"},
    {"assets"},
    {"definitions.py"},
    {"bench"},  # it measures the house; nothing of the house imports it but the command line
    {"cli.py"},
]
# Within a floor only these arrows are allowed.
SIDEWAYS = {("warehouse", "contracts"), ("science", "contracts"), ("reports", "quality")}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


def sql_files() -> list[Path]:
    return sorted(SQL.rglob("*.sql"))


def test_rule_1_one_library_one_room():
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in imported(path)
        if (top := name.split(".")[0]) in LIBRARY_ROOMS and room(path) not in LIBRARY_ROOMS[top]
    ]
    assert strays == []


@pytest.mark.parametrize(
    "path", [p for p in sql_files() if "staging" not in p.parts], ids=lambda p: str(p.relative_to(SQL))
)
def test_rule_2_sql_outside_staging_states_no_number_but_0_and_1(path):
    tree = sqlglot.parse_one(path.read_text("utf-8"), dialect="duckdb")
    numbers = {literal.this for literal in tree.find_all(exp.Literal) if not literal.is_string}
    assert numbers <= {"0", "1"}


def test_rule_2_contracts_state_no_number():
    numbers = [
        f"{path.name}:{node.lineno} states {node.value}"
        for path in (PACKAGE / "contracts").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (0, 1)
    ]
    assert numbers == []


def test_rule_3_imports_go_down():
    climbs = []
    for path in modules():
        for name in imported(path):
            if not name.startswith("aclf_pipeline."):
                continue
            part = name.split(".")[1]
            target = part if (PACKAGE / part).is_dir() else f"{part}.py"
            here = room(path)
            if target == here or floor(target) < floor(here) or (here, target) in SIDEWAYS:
                continue
            climbs.append(f"{path.relative_to(ROOT)} imports {name}")
    assert climbs == []


@pytest.mark.parametrize("path", sql_files(), ids=lambda p: str(p.relative_to(SQL)))
def test_rule_4_every_query_begins_with_what_it_is_and_its_grain(path):
    text = path.read_text("utf-8")
    header = re.match(r"((--[^\n]*\n)+|/\*.*?\*/)", text, re.DOTALL)
    assert header, "no comment at the top"
    assert "one row per" in header.group(0).lower()


@pytest.mark.parametrize(("study", "source"), STUDIES.items())
def test_rule_5_every_condition_names_only_promised_columns(study, source):
    protocol = load_protocol(PACKAGE / "protocol", study)
    proofread(protocol, promised_columns(study), set(load_audits(SQL)))


@pytest.mark.parametrize(("study", "source"), STUDIES.items())
def test_rule_6_every_table_that_counts_has_a_contract_and_every_column_a_description(study, source):
    models = load_graph(SQL, source, study)
    staged = {model.name for model in models if model.schema == "staging"}
    assert staged <= set(KINDS)
    made_by_sql = {model.name for model in models if model.schema == "marts"}
    assert made_by_sql <= set(MARTS[study])
    silent = [
        f"{name}.{promise.name}"
        for name, contract in {**KINDS, **MARTS[study]}.items()
        for promise in promises(contract)
        if not promise.says
    ]
    assert silent == []
    assert all(contract.__doc__ for contract in {**KINDS, **MARTS[study]}.values())


@pytest.mark.parametrize("study", STUDIES)
def test_rule_7_every_range_has_a_because_every_code_a_label_every_rule_a_fix(study):
    protocol = load_protocol(PACKAGE / "protocol", study)
    assert all(analyte.because.strip() for analyte in protocol.analytes.values())
    assert all(rule.fix.strip() and rule.because.strip() for rule in protocol.rules.values())
    assert all(code.label.strip() for codes in protocol.codelists.values() for code in codes)


def test_rule_9_no_module_is_longer_than_400_lines():
    long = {str(p.relative_to(ROOT)): n for p in modules() if (n := len(p.read_text("utf-8").splitlines())) > 400}
    assert long == {}


def test_rule_9_no_function_is_longer_than_60_lines():
    long = [
        f"{path.relative_to(ROOT)}:{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


def test_rule_9_there_is_no_utils():
    assert [p for p in PACKAGE.rglob("*") if p.stem in ("utils", "helpers", "misc", "common")] == []


def test_no_asset_is_longer_than_ten_lines():
    """An asset opens the warehouse, calls one function and reports; the lines of its body are counted."""
    long = []
    for path in (PACKAGE / "assets").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            decorators = {ast.unparse(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list}
            lines = node.body[-1].end_lineno - node.body[0].lineno + 1
            if decorators & {"dg.asset", "dg.multi_asset"} and lines > 10:
                long.append(f"{path.name}:{node.name} has {lines} lines")
    assert long == []


def test_every_module_says_what_it_is_and_every_room_what_does_not_belong_in_it():
    docstrings = {path: ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in modules()}
    assert [str(path.relative_to(ROOT)) for path, text in docstrings.items() if not text] == []
    rooms = {path: text for path, text in docstrings.items() if path.name == "__init__.py" and path.parent != PACKAGE}
    silent = [path.parent.name for path, text in rooms.items() if not re.search(r"not belong|belongs? in", text)]
    assert silent == []


def named(sql: str, column: str) -> set[str]:
    """The texts a query compares a column with."""
    return set(re.findall(rf"\b{column} = '([a-z_0-9]+)'", sql))


@pytest.mark.parametrize(("study", "source"), STUDIES.items())
def test_every_figure_a_query_looks_up_stands_on_a_page(study, source):
    """A misspelt definition or parameter is no error in SQL: the query would find nothing, in silence."""
    protocol = load_protocol(PACKAGE / "protocol", study)
    own = [model.path for model in load_graph(SQL, source, study) if model.path and model.schema != "staging"]
    used = [SQL / "audits" / f"{rule.id}.sql" for rule in protocol.rules.values() if rule.applies_to(source)]
    used += sorted((SQL / "audits").glob("_*.sql"))
    missing = []
    for path in [*own, *(path for path in used if path.exists())]:
        sql = path.read_text("utf-8")
        definitions = named(sql, "definition")
        known = {
            item for name in definitions & set(protocol.definitions) for item in protocol.definitions[name].cutoffs
        }
        missing += [f"{path.name}: definition {name}" for name in definitions - set(protocol.definitions)]
        missing += [
            f"{path.name}: parameter {name}" for name in named(sql, "parameter") - set(protocol.study.parameters)
        ]
        if definitions and "rules.definitions" in sql:
            looked_up = {
                n for part in re.split(r"\n\),?\n", sql) if "rules.definitions" in part for n in named(part, "item")
            }
            missing += [f"{path.name}: item {name}" for name in looked_up - known]
        missing += [f"{path.name}: codelist {name}" for name in named(sql, "codelist") - set(protocol.codelists)]
    assert missing == []
