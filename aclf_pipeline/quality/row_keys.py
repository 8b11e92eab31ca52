"""What a failing row is, whatever file and line it stands in: the key under which a finding is followed over time.

A row is keyed by the identity of its contract (`identity`): a corrected row that is sent again, in a later batch, a new
snapshot or a replaced batch, is the same row. Where a part of the identity is missing, the row is keyed by the text of
its record (`text`): sent again unchanged it is the same row, and changed it is another one. A record whose raw table is
not there is keyed by its file's content and line (`place`). Rows of equal key that break one rule are numbered.

What does not belong here: what becomes of a finding (`history`).
"""

from __future__ import annotations

from collections.abc import Sequence

from aclf_pipeline.contracts import KINDS, Contract, facts
from aclf_pipeline.quality.audits import current
from aclf_pipeline.warehouse.connection import Warehouse, quoted

_SEPARATOR = "chr(31)"  # the unit separator: no delivered text holds it


def identity_of(contract: type[Contract], alias: str) -> list[str]:
    """The identity's columns, qualified."""
    return [f'{alias}."{column}"' for column in facts(contract)["identity"]]


def identity_key(kind: str, contract: type[Contract], alias: str) -> str:
    """SQL of the key of a row by its identity; null where a part of the identity is missing."""
    columns = identity_of(contract, alias)
    missing = " or ".join(f"{column} is null" for column in columns)
    texts = ", ".join(f"{column}::varchar" for column in columns)
    return f"case when {missing} then null else md5(concat_ws({_SEPARATOR}, '{kind}', {texts})) end"


def identity_hash(contract: type[Contract], alias: str) -> str:
    """SQL of a short hash of the identity: fast, and the same only within one version of the database."""
    return f"hash({', '.join(identity_of(contract, alias))})"


def key_rows(wh: Warehouse, kinds: Sequence[str]) -> None:
    """Fill `temp.history_rows`: one row per row of `temp.history_left` (table_name, _row_id), with its key."""
    wh.execute(
        """create or replace temp table history_rows (
        table_name varchar, _row_id bigint, row_key varchar, keyed_by varchar, row_hash ubigint, file varchar,
        file_sha256 varchar)"""
    )
    for (kind,) in wh.rows("select distinct table_name from history_left"):
        if kind in kinds:
            wh.execute(
                f"""-- rows by their identity: one row per staged row
                insert into history_rows
                with asked as (select distinct _row_id from history_left where table_name = $kind),
                keyed as (
                    select s._row_id, {identity_key(kind, KINDS[kind], "s")} as row_key,
                        {identity_hash(KINDS[kind], "s")} as row_hash
                    from staging.{kind} as s
                    semi join asked using (_row_id)
                )
                select $kind, k._row_id, k.row_key, 'identity', k.row_hash, f.path, f.sha256
                from keyed as k
                left join quality.files as f on f.file_id = row_file(k._row_id)""",
                {"kind": kind},
            )
    wh.execute(
        """-- records that do not say what they are: one row per record
        create or replace temp table record_texts as
        select distinct row_raw(_row_id) as raw_id, null::varchar as text from history_rows where row_key is null"""
    )
    read_texts(wh)
    wh.execute(
        f"""-- such rows by their record's text, or by where they stand
        update history_rows as h set
            keyed_by = if(t.text is null, 'place', 'text'),
            row_key = md5(concat_ws(
                {_SEPARATOR}, h.table_name, h._row_id - t.raw_id, coalesce(t.text, h.file_sha256, ''),
                if(t.text is null, row_sheet(h._row_id) || '-' || row_line(h._row_id), null)
            ))
        from record_texts as t
        where h.row_key is null and t.raw_id = row_raw(h._row_id)"""
    )
    wh.execute("drop table temp.record_texts")


def read_texts(wh: Warehouse) -> None:
    """Fill in `text` of `temp.record_texts` (raw_id, text): a hash of all cells, where the record is there."""
    known = wh.tables()
    raw_tables = wh.rows(
        """-- raw tables of the records asked for: one row per table
        select distinct f.raw_table from record_texts as t
        join quality.files as f on f.file_id = row_file(t.raw_id)"""
    )
    for (name,) in raw_tables:
        table = name if "." in name else f"raw.{name}"
        columns = [f"r.{quoted(column)}" for column, _ in wh.columns(table) if column != "_row_id"]
        if table in known and columns:
            wh.execute(
                f"""-- the cells of a record as one hash; a column that a later delivery added is missing and left out
                update record_texts as t set text = md5(concat_ws({_SEPARATOR}, {", ".join(columns)}))
                from {quoted(table)} as r
                where r._row_id = t.raw_id"""
            )


def remember_rows(wh: Warehouse) -> None:
    """Bring `quality.known_rows` to the identities of every row that counts, as an accepted refresh has them."""
    staged = wh.tables()
    with wh.transaction():
        wh.execute("delete from quality.known_rows where hashed_by <> version()")
        for kind, contract in KINDS.items():
            if f"staging.{kind}" in staged:
                _remember(wh, kind, contract)


def _remember(wh: Warehouse, kind: str, contract: type[Contract]) -> None:
    whole = " and ".join(f"{column} is not null" for column in identity_of(contract, "s"))
    hashed = f"select {identity_hash(contract, 's')} as row_hash from ({current(kind)}) as s where {whole}"
    known = f"select row_hash from quality.known_rows where table_name = '{kind}'"
    summary = "select count(*), sum(row_hash::hugeint) from ({})"
    if wh.rows(summary.format(hashed)) != wh.rows(summary.format(known)):
        wh.execute("delete from quality.known_rows where table_name = ?", [kind])
        wh.execute(f"insert into quality.known_rows select '{kind}', row_hash, version() from ({hashed})")
