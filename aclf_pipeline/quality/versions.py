"""Which staged rows no longer count because a newer version of the same thing was delivered: `quality.superseded`.

Five reasons, decided in this order:

- `duplicate_row`: the record stands again, byte by byte, later in the same file; the first is kept.
- `snapshot`, `row_withdrawn`: the file is an older snapshot; the row stands again in a later one, or in none.
- `corrected`, `reissued`: the contract's identity was delivered again: by a later batch, or with a later version.
- `withdrawn`: the newest version is withdrawn; it does not count and neither do the versions before it.

Version order is the contract's version column first (null is oldest), then the batch. Two records of one identity that
are equal in both are a conflict, not two versions: neither is superseded, the audits of keys must find them. A null in
the identity supersedes nothing. Rows unpivoted from one record never supersede each other, and when one of them is
superseded as duplicate, corrected or reissued, the record is: its other rows follow, in every kind it was staged into.

What does not belong here: faults of a row. A superseded row is no violation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aclf_pipeline.contracts import Contract, facts
from aclf_pipeline.warehouse.connection import Warehouse, quoted


@dataclass(frozen=True)
class Superseded:
    """How many rows of a table do not count, for one reason."""

    table: str
    reason: str
    rows: int


def supersede(wh: Warehouse, kinds: Mapping[str, type[Contract]]) -> list[Superseded]:
    """Rewrite `quality.superseded` for the given kinds of `staging`; all or nothing."""
    known = wh.tables()
    with wh.transaction():
        for kind in kinds:
            wh.execute("delete from quality.superseded where table_name = ?", [kind])
        for kind, contract in kinds.items():
            _narrow(wh, kind, contract)
            _duplicates(wh, kind, known)
            _snapshots(wh, kind)
            _newer_versions(wh, kind, list(facts(contract)["identity"]))
        _whole_records(wh, kinds)
        for table in (
            "version_suspects",
            "version_rows",
            "version_identities",
            "version_dead",
            "version_repeats",
            "version_records",
        ):
            wh.execute(f"drop table if exists temp.version_{table}")
    counted = wh.rows(
        """-- superseded rows: one row per table and reason
        select table_name, reason, count(*) from quality.superseded group by all order by all"""
    )
    return [Superseded(table, reason, rows) for table, reason, rows in counted if table in kinds]


def _narrow(wh: Warehouse, kind: str, contract: type[Contract]) -> None:
    stated = facts(contract)
    identity = [f"s.{quoted_name(column)}" for column in stated["identity"]]
    version = f"s.{quoted_name(stated['version'])}" if "version" in stated else "null::timestamp"
    withdrawn = f"coalesce({stated['withdrawn']}, false)" if "withdrawn" in stated else "false"
    identity_hash = f"hash({', '.join(identity)})"
    # ordered neighbours find the few that repeat in half the time of a group for each
    wh.execute(
        f"""-- identities of more than one row: one row per identity
        create or replace temp table version_suspects as
        select distinct identity_hash
        from (
            select identity_hash, lag(identity_hash) over (order by identity_hash) as before
            from (select {identity_hash} as identity_hash from staging.{quoted_name(kind)} as s)
        )
        where identity_hash = before"""
    )
    wh.execute(
        f"""-- what versions are told by, without the wide columns: one row per staged row that may be one of several,
        -- stands in a snapshot or is withdrawn
        create or replace temp table version_rows as
        select
            s._row_id,
            row_raw(s._row_id) as raw_id,
            row_file(s._row_id) as file_id,
            coalesce(f.batch_seq, 0) as batch_seq,
            coalesce(f.is_snapshot, false) as is_snapshot,
            f.raw_table,
            {identity_hash} as identity_hash,
            {" or ".join(f"{column} is null" for column in identity)} as is_incomplete,
            {version} as version,
            {withdrawn} as is_withdrawn,
        from staging.{quoted_name(kind)} as s
        left join quality.files as f on f.file_id = row_file(s._row_id)
        where {identity_hash} in (select identity_hash from version_suspects)
        or coalesce(f.is_snapshot, false) or {withdrawn}"""
    )
    wh.execute(
        """-- what may have versions, since several records have it: one row per identity
        create or replace temp table version_identities as
        select identity_hash from version_rows
        group by identity_hash having min(raw_id) <> max(raw_id)"""
    )
    wh.execute(
        """-- rows already found superseded: one row per staged row
        create or replace temp table version_dead (_row_id bigint, by_row_id bigint, reason varchar)"""
    )


def _duplicates(wh: Warehouse, kind: str, known: set[str]) -> None:
    wh.execute(
        """-- records that may repeat another of their file, since their identity does: one row per record
        create or replace temp table version_repeats as
        select distinct v.raw_id, v.raw_table, null::bigint as first_id
        from version_rows as v
        semi join (
            select file_id, identity_hash from version_rows
            semi join version_identities using (identity_hash)
            group by file_id, identity_hash having min(raw_id) <> max(raw_id)
        ) using (file_id, identity_hash)"""
    )
    for (raw_table,) in wh.rows("select distinct raw_table from version_repeats where raw_table is not null"):
        table = raw_table if "." in raw_table else f"raw.{raw_table}"
        if table in known:
            _repeats(wh, raw_table, table)
    wh.execute(
        """-- repeated records, every row staged from them: one row per staged row
        insert into version_dead
        select v._row_id, p.first_id + (v._row_id - v.raw_id), 'duplicate_row'
        from version_rows as v
        join version_repeats as p using (raw_id)
        where p.first_id is not null"""
    )
    _keep(wh, kind)


def _repeats(wh: Warehouse, raw_table: str, table: str) -> None:
    columns = ", ".join(quoted_name(name) for name, _ in wh.columns(table) if name != "_row_id")
    if not columns:
        return
    wh.execute(
        f"""-- the first of equal records of one file, by all delivered cells: one row per repeating record
        update version_repeats as p set first_id = e.first_id
        from (
            with suspects as (
                select r.* from {quoted(table)} as r
                semi join (select raw_id from version_repeats where raw_table = $raw_table) as p on p.raw_id = r._row_id
            ),
            alike as (
                select * from suspects
                qualify count(*) over (partition by row_file(_row_id), hash({columns})) > 1
            )
            select
                _row_id as raw_id,
                min(_row_id) over (partition by row_file(_row_id), {columns}) as first_id,
            from alike
        ) as e
        where e.raw_id = p.raw_id and e.first_id < e.raw_id""",
        {"raw_table": raw_table},
    )


def _snapshots(wh: Warehouse, kind: str) -> None:
    if not wh.scalar("select bool_or(is_snapshot) from version_rows"):
        return
    wh.execute(
        """-- rows of older snapshots, with the newest row that states them again: one row per staged row
        insert into version_dead
        with newest as (
            select raw_table, max(batch_seq) as batch_seq from quality.files
            where is_snapshot and state = 'loaded'
            group by raw_table
        ),
        older as (
            select v.* from version_rows as v
            join newest as n on n.raw_table = v.raw_table and n.batch_seq > v.batch_seq
            where v.is_snapshot
        ),
        restated as (
            select o._row_id, arg_max(v._row_id, (v.batch_seq, -v._row_id)) as by_row_id
            from older as o
            join version_rows as v
                on v.identity_hash = o.identity_hash and v.raw_table = o.raw_table and v.batch_seq > o.batch_seq
            group by o._row_id
        )
        select o._row_id, r.by_row_id, if(r.by_row_id is null, 'row_withdrawn', 'snapshot')
        from older as o
        left join restated as r on r._row_id = o._row_id"""
    )
    _keep(wh, kind)


def _newer_versions(wh: Warehouse, kind: str, identity: Iterable[str]) -> None:
    columns = ", ".join(quoted_name(column) for column in identity)
    wh.execute(
        f"""-- rows with a newer version, and withdrawn rows: one row per staged row
        insert into version_dead
        with several as (
            select v.* from version_rows as v
            semi join (
                select identity_hash from version_rows
                semi join version_identities using (identity_hash)
                where not is_incomplete
                group by identity_hash having min(raw_id) <> max(raw_id)
            ) using (identity_hash)
            where not v.is_incomplete
        ),
        ordered as (
            select
                v.*,
                first_value(struct_pack(_row_id := v._row_id, raw_id := v.raw_id, version := v.version,
                    batch_seq := v.batch_seq, is_withdrawn := v.is_withdrawn)) over (
                    partition by {columns}
                    order by v.version desc nulls last, v.batch_seq desc, v._row_id desc
                ) as newest,
            from several as v
            join staging.{quoted_name(kind)} as s using (_row_id)
        ),
        older as (
            select _row_id, newest._row_id as by_row_id,
                case
                    when newest.is_withdrawn then 'withdrawn'
                    when newest.version is distinct from version then 'reissued'
                    else 'corrected'
                end as reason,
            from ordered
            where raw_id <> newest.raw_id
            and (newest.is_withdrawn or newest.version is distinct from version or newest.batch_seq <> batch_seq)
        )
        select * from older
        union all
        select v._row_id, null, 'withdrawn' from version_rows as v
        anti join older using (_row_id)
        where v.is_withdrawn"""
    )
    _keep(wh, kind)


def _keep(wh: Warehouse, kind: str) -> None:
    """Move what was found to the ledger and out of sight, so that a later reason does not see it again."""
    wh.execute(
        """insert into quality.superseded (table_name, _row_id, by_row_id, reason)
        select ?, _row_id, by_row_id, reason from version_dead""",
        [kind],
    )
    wh.execute("delete from version_rows where _row_id in (select _row_id from version_dead)")
    wh.execute("delete from version_dead")


def _whole_records(wh: Warehouse, kinds: Iterable[str]) -> None:
    wh.execute(
        """-- records with a newer version in any kind: one row per record
        create or replace temp table version_records as
        select row_raw(_row_id) as raw_id, max(row_raw(by_row_id)) as by_row_id, min(reason) as reason
        from quality.superseded
        where reason in ('duplicate_row', 'corrected', 'reissued')
        group by row_raw(_row_id)"""
    )
    for kind in kinds:
        wh.execute(
            f"""-- the other rows of such records: one row per staged row
            insert into quality.superseded (table_name, _row_id, by_row_id, reason)
            select $kind, s._row_id, r.by_row_id, r.reason
            from staging.{quoted_name(kind)} as s
            join version_records as r on r.raw_id = row_raw(s._row_id)
            anti join (select _row_id from quality.superseded where table_name = $kind) as known
                on known._row_id = s._row_id""",
            {"kind": kind},
        )


def quoted_name(column: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'
