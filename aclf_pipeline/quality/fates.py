"""What became of the rows whose findings are gone: still as they were, corrected, withdrawn, replaced or repaired.

A row id says where a row lies only as long as its file is the same, since a replaced batch gives its file ids back; the
content of the file is compared with it.

What does not belong here: what a finding's end is called then (`history`).
"""

from __future__ import annotations

from collections.abc import Sequence

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.quality.audits import current
from aclf_pipeline.quality.row_keys import identity_key, read_texts
from aclf_pipeline.warehouse.connection import Warehouse


def read_fates(wh: Warehouse, kinds: Sequence[str]) -> None:
    """Fill `temp.history_fates` for the findings of `temp.history_pairs` that are gone: one row per row.

    `fate` is `same` (it lies there as it did), `corrected` (another version of it counts), `withdrawn` (no version of
    it counts), `replaced` (it does not say what it is, and its record is gone) or `repaired`.
    """
    wh.execute(
        """-- rows whose findings are gone: one row per table, key and place
        create or replace temp table history_fates as
        select distinct r.table_name, p.row_key, p.keyed_by, p.was_row_id, p.was_sha256,
            null::bigint as by_row_id, null::varchar as fate
        from history_pairs as p
        join history_rules as r on r.rule_no = p.rule_no
        where p.was_open and not p.is_found"""
    )
    for (kind,) in wh.rows("select distinct table_name from history_fates"):
        if kind in kinds:
            _where_they_lie(wh, kind)
            _where_they_went(wh, kind)
    _unchanged_texts(wh)
    wh.execute(
        """-- rows of which a cell was put right
        update history_fates as t set fate = 'repaired'
        from (select distinct table_name, _row_id from quality.repairs) as r
        where t.fate = 'same' and r.table_name = t.table_name and r._row_id = t.was_row_id"""
    )


def _where_they_lie(wh: Warehouse, kind: str) -> None:
    """Rows that are still staged, by what the versions say of them."""
    wh.execute(
        f"""-- rows of the same files, with what superseded them
        update history_fates as t set
            by_row_id = o.by_row_id,
            fate = case
                when o.reason is null then 'same'
                when o.by_row_id is null or o.reason = 'withdrawn' then 'withdrawn'
                else 'corrected'
            end
        from staging.{kind} as s
        join quality.files as f on f.file_id = row_file(s._row_id)
        left join (select * from quality.superseded where table_name = $kind) as o on o._row_id = s._row_id
        where t.table_name = $kind and s._row_id = t.was_row_id and f.sha256 = t.was_sha256""",
        {"kind": kind},
    )


def _where_they_went(wh: Warehouse, kind: str) -> None:
    """Rows that are no longer staged: whether a row of their identity is."""
    open_question = "from history_fates where table_name = $kind and fate is null"
    if wh.scalar(f"select count(*) {open_question} and keyed_by = 'identity'", {"kind": kind}):
        wh.execute(
            f"""-- rows that are delivered under the same identity
            update history_fates as t set fate = 'corrected'
            from (
                select distinct {identity_key(kind, KINDS[kind], "s")} as row_key from ({current(kind)}) as s
            ) as c
            where t.table_name = $kind and t.fate is null and t.keyed_by = 'identity' and c.row_key = t.row_key""",
            {"kind": kind},
        )
    wh.execute(
        """update history_fates set fate = if(keyed_by = 'identity', 'withdrawn', 'replaced')
        where table_name = $kind and fate is null""",
        {"kind": kind},
    )


def _unchanged_texts(wh: Warehouse) -> None:
    """A record that was only sent again, word for word, was not corrected."""
    wh.execute(
        """-- records before and after: one row per record
        create or replace temp table record_texts as
        with both_rows as (select was_row_id, by_row_id from history_fates where by_row_id is not null)
        select row_raw(was_row_id) as raw_id, null::varchar as text from both_rows
        union
        select row_raw(by_row_id), null from both_rows"""
    )
    read_texts(wh)
    wh.execute(
        """update history_fates as t set fate = 'same'
        from record_texts as a, record_texts as b
        where t.fate = 'corrected' and a.raw_id = row_raw(t.was_row_id) and b.raw_id = row_raw(t.by_row_id)
            and a.text = b.text"""
    )
    wh.execute("drop table temp.record_texts")
