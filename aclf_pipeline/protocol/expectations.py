"""The page of expectations: what a population should look like when the data are what the study says they are.

`studies/<study>/expectations.yaml` lists them. An expectation is about a whole table, never about one row; it warns, or
it blocks a release.

What does not belong here: measuring a table (quality/expectations.py) and rules about rows (rules.yaml).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from aclf_pipeline.protocol.errors import ProtocolError
from aclf_pipeline.protocol.models import Identifier, Says, Scalar, Stanza
from aclf_pipeline.protocol.pages import read_yaml, stanzas_in_order

Measure = Literal["rows", "distinct", "complete", "median", "mean", "share", "value", "drift"]


class Expectation(Stanza):
    """One expectation: a measure of a table lies between `low` and `high`, both inclusive; one of them may be absent.

    Measures: `rows` of the table; `distinct` values of a column; `complete`, the share of rows in which the column is
    known; `median` and `mean` of what is known; `share` of the known values that are one of `equals`; `value`, every
    known value; `drift` of the known values since the last release, as Kullback-Leibler divergence over fifths of a
    number, or over the values of a word (only `high` is allowed).
    """

    id: Identifier
    table: Identifier
    says: Says
    measure: Measure
    column: Identifier | None = None
    equals: tuple[Scalar, ...] = ()
    low: float | None = None
    high: float | None = None
    severity: Literal["warn", "block"] = "warn"
    because: Says

    @model_validator(mode="after")
    def _sane(self) -> Expectation:
        if self.low is None and self.high is None:
            raise ValueError("has neither low nor high; it would expect nothing")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"has low {self.low:g} above high {self.high:g}")
        if (self.measure == "rows") == (self.column is not None):
            raise ValueError(
                "measures rows, which have no column" if self.column else f"asks {self.measure} of no column"
            )
        if self.measure == "drift" and (self.low is not None or self.high is None):
            raise ValueError("measures drift, which has only a high")
        if (self.measure == "share") != bool(self.equals):
            raise ValueError("needs 'equals' to say which values a share counts; only a share has it")
        return self


def load_expectations(folder: Path, study: str) -> tuple[Expectation, ...]:
    """The expectations of a study, in the order of the page; ProtocolError with every problem at once."""
    problems: list[str] = []
    page = f"studies/{study}/expectations.yaml"
    found = stanzas_in_order(page, read_yaml(Path(folder), page, problems), Expectation, problems)
    for name, count in Counter(stanza.id for stanza in found).items():
        if count > 1:
            problems.append(f"{page}: '{name}' stands {count} times; keep one")
    if problems:
        raise ProtocolError(problems)
    return tuple(found)
