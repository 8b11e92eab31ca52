"""What a source delivers: one typed, frozen reader of `sql/staging/<source>/source.yaml`.

The page says how batch folders are named, which files there are, their columns with aliases, and the privacy class of
every column. A column that is not listed is never stored.

What does not belong here: reading the delivered files (ingest) and what their cells mean (the SQL beside the page).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.warehouse.drafts import unfinished

PRIVACY_CLASSES = ("K", "D", "Q", "F", "A", "-")
PREFIXES = {"record_number": "R", "national_id": "N", "name": "M"}


class SourceError(UserError):
    """A source's page cannot be used; every problem is told."""


def normal_name(name: str) -> str:
    """A column name as it is compared and stored: NFKC, without blanks around it."""
    return unicodedata.normalize("NFKC", name).strip()


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is the pattern '{value}', which is no regular expression: {error}") from error
    return value


Name = Annotated[str, AfterValidator(normal_name), Field(min_length=1)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Page(BaseModel):
    """What every part of the page shares: no unknown word, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Column(Page):
    """One column: its canonical name, other names it goes by, its privacy class.

    PHI classes: K hashed (as the identifier `as_`), D not stored, Q year and month, F redacted, A accession number and
    '-' no identifier, both stored as delivered. A column must exist unless `required` is false or its class is D.
    """

    name: Name
    aliases: tuple[Name, ...] = ()
    phi: Literal["K", "D", "Q", "F", "A", "-"] = "-"
    as_: Slug | None = Field(default=None, alias="as")
    required: bool | None = None
    says: str = ""

    @model_validator(mode="after")
    def _identifier(self) -> Column:
        if (self.phi == "K") != (self.as_ is not None):
            raise ValueError("a column of class K, and no other, says with 'as' which identifier it is")
        return self

    @property
    def is_required(self) -> bool:
        """Whether a file without this column is refused."""
        return self.phi != "D" if self.required is None else self.required

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of the raw table that this one gives."""
        return {
            "D": (),
            "Q": (self.name, f"{self.name}__problem"),
            "K": (self.name, *(f"{self.name}__{fact}" for fact in derived_facts(self.as_))),
        }.get(self.phi, (self.name,))


def derived_facts(identifier: str | None) -> tuple[str, ...]:
    """What is kept about an identifier besides its pseudonym.

    `padded` is the pseudonym of a record number with the zeros put back that a spreadsheet may have taken away.
    """
    return {
        "national_id": ("valid", "birth_month", "sex"),
        "record_number": ("padded",),
        "name": ("damaged",),
    }.get(identifier or "", ())


class Sheets(Page):
    """Which sheets of a workbook hold data, and where: by sheet name, by what the header row holds, or all of them."""

    pattern: Pattern | None = None
    has_columns: tuple[Name, ...] = ()
    header_row: Annotated[int, Field(ge=1)] = 1
    totals: str | None = None
    fill_down_merged: bool = False


class FileForm(Page):
    """One form of one kind of file; it becomes `raw.<source>__<key>`.

    `delimiter` is said of a csv that uses neither a comma nor, as tsv, a tabulator.
    """

    kind: str
    says: str
    format: Literal["csv", "tsv", "xlsx", "parquet"]
    delimiter: Literal[";", "|"] | None = None
    form_has: tuple[Name, ...] = ()
    snapshot: bool = False
    sheets: Sheets = Sheets()
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _delimited(self) -> FileForm:
        if self.delimiter is not None and self.format != "csv":
            raise ValueError(f"says a delimiter, which {self.format} has not")
        return self

    @model_validator(mode="after")
    def _names_once(self) -> FileForm:
        spellings = Counter(name for column in self.columns for name in {column.name, *column.aliases})
        twice = sorted(name for name, count in spellings.items() if count > 1)
        if twice:
            raise ValueError(f"lists {', '.join(repr(name) for name in twice)} more than once, as a name or an alias")
        unknown = [name for name in (*self.form_has, *self.sheets.has_columns) if name not in spellings]
        if unknown:
            near = did_you_mean(unknown[0], spellings)
            raise ValueError(f"tells itself by column '{unknown[0]}', which it does not list.{near}")
        stored = Counter(name for column in self.columns for name in column.stored)
        if clash := sorted(name for name, count in stored.items() if count > 1):
            raise ValueError(f"would store {', '.join(clash)} twice")
        return self

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of the raw table, in order, after `_row_id`."""
        return tuple(name for column in self.columns for name in column.stored)

    @cached_property
    def by_spelling(self) -> Mapping[str, Column]:
        """Every name a header may use → its column."""
        return {name: column for column in self.columns for name in (column.name, *column.aliases)}


class Manifest(Page):
    """The list of files inside a batch, and the header names of its columns."""

    file: str
    name: Name
    bytes: Name
    rows: Name
    sha256: Name


class Batches(Page):
    """How deliveries come: folder names, the file that says a batch is complete, its list of files.

    `folder` is matched against the whole folder name; its groups `date`, `type` and `n` give the order.
    """

    folder: Pattern
    complete_when: str | None = None
    manifest: Manifest | None = None


class Identifier(Page):
    """One kind of direct identifier: the form of a sound value, and the length numbers are padded to with zeros."""

    pattern: Pattern | None = None
    pad: Annotated[int, Field(ge=1)] | None = None


class Bundled(Page):
    """Exports that an installed Python package carries, for when no exports folder is given. It is not run."""

    package: str
    folder: str


class Source(Page):
    """A source's page, read."""

    id: Slug
    says: str
    batches: Batches
    bundled: Bundled | None = None
    blanks: tuple[str, ...] = ("",)
    identifiers: Annotated[Mapping[str, Identifier], AfterValidator(MappingProxyType), PlainSerializer(dict)] = Field(
        default_factory=dict
    )
    files: Annotated[Mapping[str, FileForm], AfterValidator(MappingProxyType), PlainSerializer(dict)]
    absent: Annotated[Mapping[str, str], AfterValidator(MappingProxyType), PlainSerializer(dict)] = Field(
        default_factory=dict
    )

    @cached_property
    def blank_texts(self) -> frozenset[str]:
        """Texts that mean missing, NFKC and without blanks around them."""
        return frozenset(normal_name(text) for text in self.blanks) | {""}

    def raw_table(self, form: str) -> str:
        """The raw table of a form."""
        return f"raw.{self.id}__{form}"

    def forms_of(self, file_name: str) -> dict[str, FileForm]:
        """The forms a file may have, by its name; none for a file of no listed kind.

        The kind is the part of the name before the first `_` or `.`; a listed kind that itself has a `_` is compared
        with the name up to the first `.`.
        """
        stem = file_name.split(".", 1)[0]
        kinds = {stem, stem.split("_", 1)[0]}
        found = {key: form for key, form in self.files.items() if form.kind in kinds}
        exact = {key: form for key, form in found.items() if form.kind == stem}
        return exact or found


def load_source(folder: Path) -> Source:
    """Read `source.yaml` of a source's folder.

    Raises SourceError with every problem at once: the place on the page, what stands there, and why that cannot be.
    """
    page = Path(folder) / "source.yaml"
    where = f"{page.parent.name}/source.yaml"
    try:
        data = YAML(typ="safe", pure=True).load(page.read_text("utf-8"))
    except FileNotFoundError as error:
        known = sorted(path.parent.name for path in page.parent.parent.glob("*/source.yaml"))
        raise SourceError(
            f"source '{page.parent.name}' has no page {where}.{did_you_mean(page.parent.name, known)}"
            f" There are: {', '.join(known) or 'none'}."
        ) from error
    except YAMLError as error:
        raise SourceError(f"{where}: is not readable as YAML: {error}") from error
    if problems := unfinished(page.parent):
        raise SourceError(
            [
                f"source '{page.parent.name}' is a draft that nobody has finished: {len(problems)} findings wait."
                " Go through draft.md beside them; what is left:",
                *(f"{page.parent.name}/{problem}" for problem in problems),
            ]
        )
    if not isinstance(data, dict):
        raise SourceError(f"{where}: asks for words with values, as in 'id: …'")
    try:
        source = Source.model_validate(data)
    except ValidationError as error:
        raise SourceError([f"{where}: {_sentence(problem, data)}" for problem in error.errors()]) from error
    problems = [f"{where}: {problem}" for problem in _cross_checks(source, page.parent.name)]
    if problems:
        raise SourceError(problems)
    return source


def _cross_checks(source: Source, folder: str) -> Iterable[str]:
    if source.id != folder:
        yield f"the id is '{source.id}' and the folder is '{folder}'; write the same"
    for key, form in source.files.items():
        for column in form.columns:
            if column.as_ is not None and column.as_ not in source.identifiers:
                yield (
                    f"files.{key}: column '{column.name}' is hashed as '{column.as_}', which identifiers does not list."
                    f"{did_you_mean(column.as_, source.identifiers)}"
                )
    kinds = Counter(form.kind for form in source.files.values())
    for key, form in source.files.items():
        if kinds[form.kind] > 1 and not form.form_has:
            yield f"files.{key}: {kinds[form.kind]} forms are of kind '{form.kind}'; each must say form_has"


def _sentence(problem: Any, data: Any) -> str:
    """One of pydantic's findings in plain words, with the place as a reader of the page would say it."""
    place = _place(problem["loc"], data)
    given, kind = problem.get("input"), problem["type"]
    if kind == "extra_forbidden":
        return f"{place} is not a word this page knows"
    if kind == "missing":
        return f"{place} is missing"
    if kind == "literal_error":
        return f"{place} is '{given}'; it must be one of {problem['ctx']['expected']}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    shown = f" '{given}'" if isinstance(given, str | int | float) and "'" not in message else ""
    return f"{place}{shown}: {message}"


def _place(loc: tuple[Any, ...], data: Any) -> str:
    """`files.lab_results.columns.结果.phi` for a location in the page; a list item goes by its name when it has one."""
    words = []
    for part in loc:
        inner = None
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            inner = data[part]
        elif isinstance(data, dict):
            inner = data.get(part)
        named = isinstance(part, int) and isinstance(inner, dict) and "name" in inner
        words.append(str(inner["name"]) if named and isinstance(inner, dict) else str(part))
        data = inner
    return ".".join(words)
