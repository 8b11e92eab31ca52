"""The whole story of a candidate, in or out of the cohort: what was delivered, how it was judged, and what came of it.

Every part is one query over all candidates or over one, so that a page per candidate costs no query of its own. A part
shows what its table has today: a column more in SQL is a column more in the story, and every table of evidence with a
candidate_id is a part. Row ids become file and line.

What does not belong here: how a story looks (`trace_text`, reports), and computing anything that a table does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import sqlglot
from sqlglot import exp

from aclf_pipeline.protocol import Study
from aclf_pipeline.warehouse.connection import Warehouse, WarehouseError, quoted
from aclf_pipeline.warehouse.places import with_places
from aclf_pipeline.warehouse.trace import units_of

KEY = "candidate_id"
_HIDDEN = (KEY, "patient_id", "name_id", "national_id", "person_id")
_MOST_CELLS = 200
_ASKED = """asked as (
    select candidate_id, person_id from marts.candidates where $only is null or candidate_id = $only
), records as (
    select a.candidate_id, p.patient_id
    from asked as a inner join intermediate.persons as p on a.person_id = p.person_id
)"""


@dataclass(frozen=True)
class Part:
    """One part of every story: `frame` has candidate_id and columns of text, in the order they are told.

    A candidate without a row is told `empty`. `is_tall` says that a row reads as name and value.
    """

    id: str
    title: str
    frame: pl.DataFrame
    empty: str = "nothing recorded"
    is_tall: bool = False


@dataclass(frozen=True)
class Stories:
    """The parts of the stories of some candidates.

    `heads`: candidate_id, person_id, in_cohort, reason (the first criterion not met), says, also (the person's other
    candidates).
    """

    heads: pl.DataFrame
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class _Ask:
    """A table of the warehouse as a part; columns it has not are left out, and a table that is not there is told."""

    id: str
    title: str
    table: str
    key: str
    columns: tuple[str, ...]
    order: str
    empty: str
    is_tall: bool = False


_PERSON = (
    _Ask("stays", "Stays", "intermediate.stays", "person_id",
         ("stay_no", "episode_id", "admitted_at", "admitted_precision", "discharged_at", "discharged_precision",
          "age_years_stated", "ward_in", "ward_out", "disposition", "form", "_row_id"),
         "admitted_at", "no stay is known"),
    _Ask("diagnoses", "Diagnoses that a codelist names", "intermediate.diagnoses", "person_id",
         ("admitted_at", "codelist", "code", "label", "present_on_admission", "_row_id"),
         "admitted_at, codelist, code", "no code of a codelist"),
    _Ask("infusions", "Infusions", "intermediate.infusions", "person_id",
         ("infused_on", "course_no", "infusion_no", "is_counted", "evidence", "mark", "days_since_last", "cell_source",
          "batch_no", "cells_infused_1e6", "weight_kg", "row_ids"),
         "infused_on", "no infusion in ledger or orders"),
)  # fmt: skip
_TIME = (
    _Ask("time_zero", "Time zero and index episode", "intermediate.anchors", KEY,
         ("time_zero", "first_infusion_on", "infusions", "infusions_in_course", "index_at", "index_end_at",
          "episode_id", "reference_name", "reference_from", "reference_to"),
         "candidate_id", "no index episode", is_tall=True),
)  # fmt: skip
_OUTCOME = (
    _Ask("death_notices", "Every statement of a death", "intermediate.death_notices", "person_id",
         ("source", "source_rank", "died_from", "died_to", "died_precision", "is_misdated", "_row_id"),
         "source_rank", "no source states a death"),
    _Ask("deaths", "The death that counts", "intermediate.deaths", "person_id",
         ("source", "died_from", "died_to", "died_precision", "sources", "days_apart", "is_disputed", "is_refuted",
          "row_ids"),
         "died_from", "none"),
    _Ask("transplants", "Liver transplant", "intermediate.transplants", "person_id",
         ("source", "is_inferred", "from_on", "to_on", "row_ids"), "from_on", "none known"),
    _Ask("last_alive", "Last evidence of life", "intermediate.last_alive", "person_id",
         ("last_alive_on", "kind", "_row_id"), "last_alive_on", "none"),
    _Ask("ended", "What the candidate's record ends with", "marts.candidates", KEY,
         ("disposition", "death_on", "death_from", "death_to", "death_source", "death_disputed", "transplant_on",
          "transplant_from", "transplant_to", "transplant_inferred", "last_alive_on", "left_without_follow_up"),
         "candidate_id", "nothing", is_tall=True),
    _Ask("event", "What happened first after time zero", "marts.cohort", KEY,
         ("event", "event_on", "event_from", "event_to", "event_days", "endpoint_problem", "endpoint_warning"),
         "candidate_id", "not in the cohort, so no time is counted", is_tall=True),
)  # fmt: skip

_NO_VERDICT = "cross join (select null::boolean as eligible, null::varchar as exclusion_reason) as e"


def tell(wh: Warehouse, study: Study, candidate: str | None = None) -> Stories:
    """The stories of all candidates, or of one (its candidate_id).

    Raises WarehouseError when nothing has been built yet. Cells are text; what is missing is null.
    """
    if "marts.candidates" not in wh.tables():
        raise WarehouseError("trace: there is no marts.candidates yet. Refresh the study first.")
    teller = _Teller(wh, study, candidate)
    return Stories(teller.heads(), [part for part in teller.parts() if part is not None])


class _Teller:
    """The queries behind the stories, over one open warehouse."""

    def __init__(self, wh: Warehouse, study: Study, only: str | None) -> None:
        self._wh, self._study, self._only = wh, study, only
        self._tables = wh.tables()
        self._units = units_of(wh) if {"rules.baseline", "rules.analytes"} <= self._tables else {}

    def heads(self) -> pl.DataFrame:
        """Who each candidate is, whether in the cohort, and else why not."""
        says = {criterion.id: criterion.says for criterion in self._study.eligibility}
        verdict = "left join marts.eligibility as e on a.candidate_id = e.candidate_id"
        heads = self._frame(
            f"""select a.candidate_id, a.person_id, coalesce(e.eligible, false) as in_cohort,
                e.exclusion_reason as reason,
                list_sort(list(c.candidate_id) filter (c.candidate_id <> a.candidate_id)) as also
            from asked as a inner join marts.candidates as c on a.person_id = c.person_id
            {verdict if "marts.eligibility" in self._tables else _NO_VERDICT}
            group by all"""
        )
        sentence = (
            pl.when(pl.col("in_cohort")).then(pl.lit("in the cohort"))
            .when(pl.col("reason").is_null()).then(pl.lit("not in the cohort (no verdict yet)"))
            .otherwise(pl.format("not in the cohort ({}): not met: {}", "reason",
                                 pl.col("reason").replace_strict(says, default=pl.col("reason"))))
        )  # fmt: skip
        return heads.with_columns(says=sentence).sort(KEY)

    def parts(self) -> Iterator[Part | None]:
        """Every part in the order of a story."""
        yield from map(self._asked, _PERSON)
        yield from (self._asked(ask) for ask in self._evidence())
        yield self._criteria()
        yield from map(self._asked, _TIME)
        yield self._values()
        yield from map(self._asked, _OUTCOME)
        yield from (self._violations(), self._repairs(), self._quarantine(), self._superseded(), self._cases())

    def _evidence(self) -> Iterator[_Ask]:
        """Tables of evidence that speak of candidates, those of definitions before those of exclusions."""
        names = sorted(t for t in self._tables if t.startswith("intermediate.") and t.endswith("_evidence"))
        for table in [*names, "intermediate.exclusions"]:
            columns = [name for name, _ in self._wh.columns(table)] if table in self._tables else []
            if KEY in columns:
                name = table.split(".")[1]
                title = f"Evidence: {name.removesuffix('_evidence').replace('_', ' ')}"
                order = next((word for word in ("found_on", "observed_at", "day") if word in columns), KEY)
                once = self._wh.scalar(f"select count(*) = count(distinct {KEY}) from {quoted(table)}")
                tall = bool(once) and len(columns) > len(_HIDDEN)
                yield _Ask(name, title, table, KEY, tuple(columns), order, "nothing found", is_tall=tall)

    def _asked(self, ask: _Ask) -> Part | None:
        if ask.table not in self._tables:
            return None
        there = {name for name, _ in self._wh.columns(ask.table)}
        shown = [name for name in ask.columns if name in there and name not in _HIDDEN]
        frame = self._frame(
            f"select a.candidate_id, {', '.join(f't.{quoted(name)}' for name in shown)} from asked as a"
            f" inner join {quoted(ask.table)} as t on a.{ask.key} = t.{ask.key} order by a.candidate_id, {ask.order}"
        )
        return self._part(ask.id, ask.title, frame, ask.empty, is_tall=ask.is_tall)

    def _criteria(self) -> Part | None:
        """Each criterion with what the candidate's columns hold and the verdict; a missing value is told as such."""
        if "marts.eligibility" not in self._tables:
            return None
        candidates = self._frame("select c.* from marts.candidates as c join asked using (candidate_id)")
        failed = dict(
            self._frame("select candidate_id, exclusion_reasons from marts.eligibility join asked using (candidate_id)")
            .iter_rows()
        )  # fmt: skip
        rows = []
        for step, criterion in enumerate(self._study.eligibility, start=1):
            asked = [name for name in _columns_of(criterion.keep) if name in candidates.columns]
            for values in candidates.select(KEY, *asked).iter_rows(named=True):
                missing = [name for name in asked if values[name] is None]
                met = criterion.id not in (failed.get(values[KEY]) or ())
                verdict = "met" if met else f"not met: {', '.join(missing)} missing" if missing else "not met"
                seen = ", ".join(f"{name} = {text(values[name])}" for name in asked)
                rows.append((values[KEY], str(step), criterion.id, criterion.says, criterion.keep, seen, verdict))
        columns = (KEY, "step", "criterion", "says", "asks", "value", "verdict")
        frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
        return self._part("criteria", "Criteria, in their order", frame, "not judged")

    def _values(self) -> Part | None:
        """Baseline values, scores and outcome with their reasons, and what each was picked from."""
        queries = [
            f"select t.* from {table} as t join asked using (candidate_id)"
            + (" where candidate_id not in (select candidate_id from marts.cohort_provenance)" if rest else "")
            for table, rest in (("marts.cohort_provenance", False), ("intermediate.facts", True))
            if table in self._tables
        ]
        if not queries:
            return None
        columns = "candidate_id, variable, value, value_text, explanation, rule_ids, row_ids"
        if len(queries) == 1:
            queries = [queries[0].split(" where ")[0]]
        frame = self._frame(
            " union all by name ".join(f"select {columns} from ({query})" for query in queries)
            + " order by candidate_id, variable"
        )
        units = pl.Series("unit", [self._units.get(name) for name in frame["variable"]], dtype=pl.String)
        return self._part("values", "Values and why", frame.insert_column(4, units), "none")

    def _violations(self) -> Part:
        frame = self._frame(
            """select r.candidate_id, v.rule_id, rules.says, v.table_name, v.action, v.observed,
                coalesce(f.state, 'new') as state, v._row_id
            from quality.violations as v
            inner join records as r on v.patient_id = r.patient_id
            left join rules.rules as rules on v.rule_id = rules.rule_id
            left join quality.findings as f
                on v.table_name = f.table_name and v.rule_id = f.rule_id and v._row_id = f._row_id
            where v.action not in ('repair') group by all order by all"""
            if "rules.rules" in self._tables
            else "select candidate_id, null as rule_id from asked where false"
        )
        return self._part("violations", "Findings", frame, "no rule is broken by a row of this person")

    def _repairs(self) -> Part:
        frame = self._frame(
            """select r.candidate_id, q.rule_id, q.table_name, q.column_name, q.was, q.became, q.evidence, q.confidence,
                q._row_id
            from quality.repairs as q inner join records as r on q.patient_id = r.patient_id
            order by r.candidate_id, q._row_id"""
        )
        return self._part("repairs", "Repairs", frame, "no cell was put right")

    def _quarantine(self) -> Part:
        frame = self._frame(
            """select r.candidate_id, q.table_name, q.rule_ids, q.row::varchar as content, q._row_id
            from quality.quarantine as q inner join records as r on q.row ->> 'patient_id' = r.patient_id
            order by r.candidate_id, q.table_name, q._row_id"""
        )
        shown = pl.Series("content", [_content(cells) for cells in frame["content"]], dtype=pl.String)
        return self._part(
            "quarantine", "Rows set aside", frame.with_columns(shown), "no row of this person is set aside"
        )

    def _superseded(self) -> Part:
        found = [
            self._frame(
                f"select r.candidate_id, s.table_name, s.reason, count(*)::varchar as rows"
                f" from quality.superseded as s inner join {quoted(f'staging.{table}')} as t on s._row_id = t._row_id"
                " inner join records as r on t.patient_id = r.patient_id where s.table_name = $table"
                " group by all order by all",
                table=table,
            )
            for (table,) in self._wh.rows("select distinct table_name from quality.superseded order by 1")
            if f"staging.{table}" in self._tables
        ]
        empty = pl.DataFrame(schema=dict.fromkeys((KEY, "table_name", "reason", "rows"), pl.String))
        return self._part(
            "superseded", "Rows replaced or withdrawn by a later delivery", pl.concat([empty, *found]), "none"
        )

    def _cases(self) -> Part:
        frame = self._frame(
            """select r.candidate_id, c.case_id, c.question, c.state, c.in_force, c.decided_by, c.decided_on, c.reason,
                c.evidence
            from quality.cases as c inner join records as r on c.patient_id = r.patient_id
            order by r.candidate_id, c.question, c.case_id"""
        )
        return self._part("cases", "Questions to a person", frame, "none")

    def _frame(self, query: str, **params: Any) -> pl.DataFrame:
        return self._wh.frame(f"with {_ASKED}\n{query}", {"only": self._only, **params})

    def _part(self, id_: str, title: str, frame: pl.DataFrame, empty: str, *, is_tall: bool = False) -> Part:
        placed = with_places(self._wh, frame)
        told = placed.with_columns(_texts(placed[name]) for name in placed.columns if placed.schema[name] != pl.String)
        said = [name for name in told.columns if name == KEY or told[name].null_count() < told.height]
        return Part(id_, title, told.select(said), empty, is_tall)


def _columns_of(condition: str) -> list[str]:
    """The columns a flat boolean names, in order, once."""
    tree = sqlglot.parse_one(condition, dialect="duckdb")
    return list(dict.fromkeys(column.name for column in tree.find_all(exp.Column)))


def _content(cells: str) -> str:
    """What a row set aside says, without its keys, short enough for a line."""
    row = json.loads(cells)
    told = "  ".join(f"{name}={text(value)}" for name, value in row.items() if _is_told(name, value))
    return told if len(told) <= _MOST_CELLS else f"{told[:_MOST_CELLS]} …"


def _is_told(name: str, value: Any) -> bool:
    return value is not None and name != "_row_id" and not name.endswith("_id")


def _texts(cells: pl.Series) -> pl.Series:
    """Every cell as text; each value is put into words once."""
    if isinstance(cells.dtype, pl.List):
        return pl.Series(cells.name, [text(value) for value in cells], dtype=pl.String)
    values = cells.unique().drop_nulls()
    words = pl.Series([text(value) for value in values], dtype=pl.String)
    return cells.replace_strict(values, words, default=None, return_dtype=pl.String)


def text(value: Any) -> str | None:
    """A cell as a reader wants it: no line breaks, yes or no, seven digits, days without a time of zero."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, pl.Series | list | tuple):
        return ", ".join(str(text(item)) for item in value) or None
    return " ⏎ ".join(str(value).removesuffix(".000000").removesuffix(":00").removesuffix(" 00:00").splitlines())


def story_of(stories: Stories, candidate: str) -> Sequence[tuple[Part, pl.DataFrame]]:
    """The parts of one candidate, each with its rows; parts without a row are there too."""
    return [(part, part.frame.filter(pl.col(KEY) == candidate).drop(KEY)) for part in stories.parts]
