"""Draft staging queries: the columns of the contract, each filled from its guessed column or plainly not.

A query reads what it can read safely: text trimmed, times by the forms that were met, numbers by a cast that gives null
for what is none. What needs a person carries a mark, with the words that were met where the column names nobody.

What does not belong here: which column is which (`kinds`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.contracts.base import ColumnPromise, facts
from aclf_pipeline.onboarding.columns import Profile
from aclf_pipeline.onboarding.kinds import Form, Guess, GuessedKind
from aclf_pipeline.onboarding.lexicon import compare, lexicon
from aclf_pipeline.warehouse.drafts import MARK

_MOST_WORDS = 20
_TYPES = {"String": "varchar", "Float64": "double", "Int64": "bigint", "Int32": "integer", "Boolean": "boolean"}
_KEYS = {"patient_id": "record_number", "stay_id": "hospitalization", "name_id": "name", "national_id": "national_id"}


def query(source: str, kind: str, forms: Sequence[Form]) -> str:
    """The draft of `<source>__<kind>.sql`."""
    grain = str(facts(KINDS[kind])["grain"])
    head = [
        f"-- {MARK} {kind} of source {source}, guessed from headers and cells; go through every line, see draft.md.",
        f"-- {grain}",
    ]
    parts = [_select(source, kind, form) for form in forms]
    return "\n".join(head) + "\n" + "\nunion all\n".join(parts) + "\n"


def _select(source: str, kind: str, form: Form) -> str:
    guessed = next(one for one in form.kinds if one.kind == kind)
    lines = list(_Writer(kind, form, guessed).lines())
    body = "\n".join(
        f"    {expression}{',' if place < len(lines) - 1 else ''}{f'  -- {told}' if told else ''}"
        for place, (expression, told) in enumerate(lines)
    )
    text = f"select\n{body}\nfrom raw.{source}__{form.key} as r"
    if kind == "labs":
        pairs = [
            f"coalesce(codes.{column}, '') = {_cell(guessed.column_of(target))}"
            for column, target in (("code", "source_code"), ("name", "source_name"), ("unit_text", "unit_text"))
        ]
        text += f"\nleft join mapping.lab_codes as codes\n    on {' and '.join(pairs)}"
    left = _left_over(form, guessed)
    return text + (f"\n-- {MARK} columns of {form.key} that look like further items or codes: {left}" if left else "")


def _left_over(form: Form, guessed: GuessedKind) -> str:
    """Further columns guessed for a target that already has one, as wide tables have."""
    taken = {target: guessed.column_of(target) for target in {guess.target for guess in guessed.guesses}}
    open_ = {column.name for column in form.columns if column.phi in ("-", "A", "F")}
    return ", ".join(g.column for g in guessed.guesses if g.column != taken[g.target] and g.column in open_)


class _Writer:
    """The columns of one select, each with a remark."""

    def __init__(self, kind: str, form: Form, guessed: GuessedKind) -> None:
        self._kind, self._form, self._guessed = kind, form, guessed
        self._profiles = {column.name: column for column in form.columns}

    def lines(self) -> Iterator[tuple[str, str]]:
        """(expression, remark) of every column of the contract, in its order."""
        for promise in promises(KINDS[self._kind]):
            yield self._line(promise)

    def _line(self, promise: ColumnPromise) -> tuple[str, str]:
        name = promise.name
        if name == "_row_id":
            return "r._row_id", ""
        if (made := self._made(name)) is not None:
            return made
        if (key := self._key(name)) is not None:
            return f'r."{key.name}" as {name}', f"guess: {key.evidence}"
        if name == "stay_id" and (stay := self._stay()) is not None:
            return stay
        guess = next((one for one in self._guessed.guesses if one.target == name), None)
        if guess is None or self._profiles[guess.column].phi == "D":
            return _nothing(promise, "no stored column seems to hold it")
        return self._guess(promise, guess, self._profiles[guess.column])

    def _stay(self) -> tuple[str, str] | None:
        """The stay as record number and ordinal, where no column names it."""
        patient, words = self._key("patient_id"), lexicon().kinds["stays"].columns["stay_no"]
        number = next((column for column in self._form.columns if compare(column.name, words)), None)
        if patient is None or number is None or number.phi == "D":
            return None
        ordinal = f"try_cast({_cell(number.name)} as bigint)"
        told = f"guess: record number and '{number.name}'; filled {number.share}"
        return f"r.\"{patient.name}\" || '-' || {ordinal} as stay_id", told

    def _key(self, name: str) -> Profile | None:
        wanted = _KEYS.get(name)
        return next((column for column in self._form.columns if wanted and column.as_ == wanted), None)

    def _made(self, name: str) -> tuple[str, str] | None:
        """Columns of laboratory results that are read from others."""
        if self._kind != "labs":
            return None
        text = _cell(self._guessed.column_of("value_text"))
        number = f"try_cast(regexp_replace({text}, '^(<=|>=|[<>≤≥＜＞])\\s*', '') as double)"
        sign = f"regexp_extract({text}, '^(<=|>=|[<>≤≥＜＞])', 1)"
        made = {
            "loinc": ("codes.loinc", "by the mapping of code, name and unit"),
            "unit": ("codes.unit as unit", "by the mapping of code, name and unit"),
            "value": (f"{number} as value", "guess: a number, or a limit behind a sign; words are not read yet"),
            "operator": (
                f"case when {number} is null then null when {sign} in ('<', '＜') then '<'"
                f" when {sign} in ('>', '＞') then '>' when {sign} in ('<=', '≤') then '<='"
                f" when {sign} in ('>=', '≥') then '>=' else '=' end as operator", "guess: the sign before the number",
            ),
            "report_status": None if self._guessed.column_of(name) else (
                "'final' as report_status", f"{MARK} no column tells a status; say whether every result is final"
            ),
            "unparsed": (
                f"if({number} is null and {text} <> '', 'value', null) as unparsed",
                "what is no number is named here, so that nothing is lost in silence",
            ),
        }  # fmt: skip
        return made.get(name)

    def _guess(self, promise: ColumnPromise, guess: Guess, column: Profile) -> tuple[str, str]:
        text, told = f"nullif({_cell(column.name)}, '')", f"guess: {guess.because}; filled {column.share}"
        name, dtype = promise.name, promise.dtype.split("(")[0]
        if column.phi == "Q":
            return f"try_cast(r.\"{column.name}\" || '-01' as date) as {name}", told
        if dtype in ("Datetime", "Date"):
            forms = ", ".join(f"'{form}'" for form in column.formats)
            if not forms:
                return _nothing(promise, f"{MARK} '{column.name}' has no form that is read: {', '.join(column.shapes)}")
            read = f"try_strptime({text}, [{forms}])"
            cast = f"cast({read} as {'date' if dtype == 'Date' else 'timestamp'}) as {name}"
            unread = 1 - sum(column.shapes[form] for form in column.formats)
            return cast, told + (f"; {MARK} {unread:.1%} of its cells are in no such form" if unread > 0 else "")
        if promise.within is not None:
            return self._words(promise, column, text, told)
        if dtype == "Boolean":
            return _nothing(promise, f"{MARK} say which words of '{column.name}' mean yes: {self._met(column)}")
        if dtype != "String":
            return f"try_cast({text} as {_TYPES[dtype]}) as {name}", told
        return f"{text} as {name}", told

    def _words(self, promise: ColumnPromise, column: Profile, text: str, told: str) -> tuple[str, str]:
        known = lexicon().words.get(promise.name, {})
        met = self._values(column)
        cases = [f"when '{word}' then '{known[word.lower()]}'" for word in met if word.lower() in known]
        asked = f"{MARK} translate into {', '.join(promise.within or ())}; met: {self._met(column)}"
        if not cases:
            return _nothing(promise, asked)
        foreign = [word for word in met if word.lower() not in known]
        rest = " else 'unknown'" if "unknown" in (promise.within or ()) else ""
        case = f"case {text} {' '.join(cases)}{rest} end as {promise.name}"
        return case, told if not foreign else asked

    def _values(self, column: Profile) -> list[str]:
        """The words of a column that names nobody, the commonest first; none when they are too many to be words."""
        if column.phi != "-" or column.distinct > _MOST_WORDS:
            return []
        parts = [file.rows[column.name] for file in self._form.files if column.name in file.rows.columns]
        counted = pl.concat(parts).drop_nulls().str.strip_chars().value_counts(sort=True)
        return [word for word in counted[counted.columns[0]] if word not in lexicon().blanks]

    def _met(self, column: Profile) -> str:
        return ", ".join(word.replace("\n", " ") for word in self._values(column)) or "(not shown)"


def _nothing(promise: ColumnPromise, why: str) -> tuple[str, str]:
    dtype = promise.dtype.split("(")[0]
    sql = {"Datetime": "timestamp", "Date": "date"}.get(dtype) or _TYPES.get(dtype, "varchar")
    needed = "" if promise.nullable or MARK in why else f"{MARK} the contract asks for it; "
    return f"cast(null as {sql}) as {promise.name}", f"{needed}{why}"


def _cell(column: str | None) -> str:
    return f"coalesce(trim(r.\"{column}\"), '')" if column else "''"
