"""Reading one page: YAML and CSV as plain data, each stanza as its type, each fault as a sentence.

What does not belong here: what the words of a stanza mean (models.py, study.py) and checks across stanzas (reader.py).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from aclf_pipeline.protocol.errors import did_you_mean, none_of
from aclf_pipeline.protocol.models import Code, Stanza

S = TypeVar("S", bound=Stanza)

CODE_COLUMNS = ("system", "code", "label", "match")


def read_yaml(folder: Path, page: str, problems: list[str]) -> Any:
    """The plain data of a YAML page; None, and a sentence in `problems`, when it cannot be read."""
    try:
        text = (folder / page).read_text(encoding="utf-8")
    except FileNotFoundError:
        problems.append(f"{page}: this page is missing")
        return None
    except UnicodeDecodeError:
        problems.append(f"{page}: this page is not text in UTF-8; save it as UTF-8")
        return None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        problems.append(f"{page}{_line(error)}: {_duplicated(error)} stands twice; keep one")
    except YAMLError as error:
        problems.append(f"{page}{_line(error)}: this is not YAML: {_cause(error)}")
    return None


def _line(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f", line {mark.line + 1}" if mark is not None else ""


def _duplicated(error: DuplicateKeyError) -> str:
    words = str(error.problem or "").split('"')
    return f"'{words[1]}'" if len(words) > 1 else "one word"


def _cause(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError):
        told = [str(part) for part in (error.context, error.problem) if part]
        return ", ".join(told) + ". Look at colons, quotation marks and indentation"
    return str(error).splitlines()[0]


def stanzas_by_name(page: str, data: Any, kind: type[S], problems: list[str], *, with_id: bool = True) -> dict[str, S]:
    """A page or section that maps names to stanzas. `with_id`: the name is the stanza's `id`."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        problems.append(f"{page}: this asks for names, each with a stanza below it")
        return {}
    found = {}
    for name, body in data.items():
        stanza = _stanza(f"{page}: '{name}'", body, kind, problems, {"id": str(name)} if with_id else {})
        if stanza is not None:
            found[str(name)] = stanza
    return found


def stanzas_in_order(page: str, data: Any, kind: type[S] | Mapping[str, type[S]], problems: list[str]) -> list[S]:
    """A page or section that lists stanzas, each named by its `id`, or the `rule` it waives, or the `question`.

    With several kinds of stanzas, each says by its word `kind` which it is.
    """
    if data is None:
        return []
    if not isinstance(data, list):
        problems.append(f"{page}: this asks for a list; every stanza begins with '- '")
        return []
    found = []
    for number, body in enumerate(data, start=1):
        named = body if isinstance(body, dict) else {}
        name = named.get("id") or named.get("rule") or named.get("question")
        where = f"{page}: '{name}'" if name else f"{page}: stanza {number}"
        known = _kind_of(where, named, kind, problems) if isinstance(kind, Mapping) else kind
        stanza = _stanza(where, body, known, problems, {}) if known is not None else None
        if stanza is not None:
            found.append(stanza)
    return found


def _kind_of(where: str, body: Mapping[str, Any], kinds: Mapping[str, type[S]], problems: list[str]) -> type[S] | None:
    """The type a stanza says it is; a sentence in `problems` when it says none or one that nobody knows."""
    word = body.get("kind")
    if word is None:
        problems.append(f"{where} has no 'kind'; write one of {', '.join(kinds)}")
    elif word not in kinds:
        problems.append(f"{where} has kind '{word}', {none_of(str(word), kinds)}")
    return kinds.get(str(word))


def one_stanza(page: str, data: Any, kind: type[S], problems: list[str]) -> S | None:
    """A whole page that is one stanza."""
    return _stanza(page, data, kind, problems, {})


def _stanza(where: str, body: Any, kind: type[S], problems: list[str], extra: Mapping[str, str]) -> S | None:
    if not isinstance(body, dict):
        problems.append(f"{where} asks for words with values below it, as in 'says: …'")
        return None
    try:
        return kind.model_validate({**body, **extra})
    except ValidationError as error:
        problems.extend(f"{where} {sentence}" for sentence in _sentences(error.errors(), kind))
        return None


def words_of(kind: type[Stanza]) -> list[str]:
    """The words a stanza may use, as they are written on the page."""
    return [field.alias or name for name, field in kind.model_fields.items()]


def _sentences(errors: Iterable[ErrorDetails], kind: type[Stanza]) -> Iterator[str]:
    """One sentence per fault of one stanza; several branches of one union are one fault."""
    told = set()
    for error in errors:
        path = ".".join(str(part) for part in error["loc"] if not _is_branch(part))
        if path in told:
            continue
        told.add(path)
        yield _sentence(path, error, kind)


def _is_branch(part: int | str) -> bool:
    return str(part) in {"bool", "int", "float", "str", "date", "is-instance[Mapping]"} or str(part).startswith(
        "function-"
    )


def _sentence(path: str, error: ErrorDetails, kind: type[Stanza]) -> str:
    given = error["input"]
    match error["type"]:
        case "missing":
            return f"has no '{path}'"
        case "extra_forbidden":
            return f"uses the word '{path}', which this page does not know.{did_you_mean(path, words_of(kind))}"
        case "literal_error":
            options = str(error.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
            return f"has {path} '{given}', which is none of {', '.join(options)}.{did_you_mean(given, options)}"
        case "value_error":
            told = str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
            return told if not path or told.startswith("names") else f"has a '{path}' that {told}"
        case "string_pattern_mismatch":
            return (
                f"has {path} '{given}', which is not written like {_EXAMPLES.get(path.split('.')[0], 'an identifier')}"
            )
        case kind_of_error if kind_of_error.startswith("date"):
            return f"has {path} '{given}', which is not a day written like 2026-12-31"
        case kind_of_error if kind_of_error.startswith(("float", "int")):
            return f"gives no number for {path}: '{given}'" if given is not None else f"gives no number for {path}"
        case kind_of_error if kind_of_error.startswith("string"):
            return f"asks {path} for text; '{given}' is not, put it in quotation marks"
    return f"has {path} '{given}': {error['msg'].lower()}"


_EXAMPLES = {
    "loinc": "a LOINC code, as in 1975-2",
    "category": "conformance, completeness or plausibility, with a part after '/', as in plausibility/temporal",
    "id": "an id: lower-case letters, digits and underscores",
    "evidence": "the digest of the worklist: eight characters, 0 to 9 and a to f",
}


def read_codelist(path: Path, problems: list[str]) -> list[Code]:
    """The rows of one codelist; a row without a label, or twice the same code, is a problem."""
    page = f"codelists/{path.name}"
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except UnicodeDecodeError:
        problems.append(f"{page}: this page is not text in UTF-8; save it as UTF-8")
        return []
    if not rows or tuple(rows[0]) != CODE_COLUMNS:
        problems.append(f"{page}: the first line asks for {','.join(CODE_COLUMNS)}")
        return []
    found: list[Code] = []
    seen: set[tuple[str, str]] = set()
    for line, cells in enumerate(rows[1:], start=2):
        if len(cells) != len(CODE_COLUMNS):
            problems.append(f"{page}, line {line}: has {len(cells)} cells and asks for {len(CODE_COLUMNS)}")
            continue
        row = dict(zip(CODE_COLUMNS, cells, strict=True))
        if not row["label"].strip():
            problems.append(f"{page}, line {line}: code '{row['code']}' has no label")
            continue
        code = _stanza(f"{page}, line {line}:", row, Code, problems, {})
        if code is None:
            continue
        if (code.system, code.code) in seen:
            problems.append(f"{page}, line {line}: code '{code.code}' of {code.system} stands twice; keep one")
        seen.add((code.system, code.code))
        found.append(code)
    return found
