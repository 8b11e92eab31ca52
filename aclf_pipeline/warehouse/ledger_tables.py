"""Every table of `quality.*`, as statements that create it: all exist, empty, from the first opening of a warehouse.

What does not belong here: reading and writing them (ledger).
"""

from __future__ import annotations

import re

_OVER_TIME = (
    "seq integer", "basis varchar", "new bigint", "persisting bigint", "resolved bigint", "reopened bigint",
    "rule_changed bigint", "backwards bigint", "notes varchar[]",
)  # fmt: skip
"""Columns of `quality.checks` that a warehouse made by an earlier version lacks."""

DDL = (
    """create table if not exists quality.batches (
        source varchar not null, batch varchar not null, seq integer, state varchar not null,
        received_at timestamp not null, problems integer not null)""",
    """create table if not exists quality.files (
        file_id integer not null, source varchar not null, batch varchar not null, batch_seq integer,
        path varchar not null, name varchar not null, kind varchar not null, raw_table varchar not null,
        form varchar not null, sha256 varchar not null, bytes bigint not null, encoding varchar, line_end varchar,
        columns integer not null, rows bigint not null, is_snapshot boolean not null, state varchar not null,
        same_as integer, loaded_at timestamp not null, sheets varchar[])""",
    """create table if not exists quality.file_problems (
        source varchar not null, batch varchar not null, path varchar, line bigint, rule_id varchar not null,
        message varchar not null, advice varchar not null, action varchar not null)""",
    """create table if not exists quality.rejects (
        _row_id bigint not null, raw_table varchar not null, rule_id varchar not null, reason varchar not null,
        pieces integer not null)""",
    """create table if not exists quality.receipts (
        _row_id bigint not null, table_name varchar not null, column_name varchar, rule_id varchar not null,
        seen varchar, became varchar)""",
    """create table if not exists quality.refreshes (
        refresh_id varchar not null, started_at timestamp not null, finished_at timestamp,
        source varchar not null, study varchar not null, as_of date not null, protocol_digest varchar not null,
        state varchar not null)""",
    """create table if not exists quality.superseded (
        table_name varchar not null, _row_id bigint not null, by_row_id bigint, reason varchar not null)""",
    """create table if not exists quality.violations (
        refresh_id varchar not null, table_name varchar not null, rule_id varchar not null,
        rule_fingerprint varchar not null, _row_id bigint, patient_id varchar, action varchar not null,
        observed varchar, protocol_digest varchar not null)""",
    """create table if not exists quality.quarantine (
        table_name varchar not null, _row_id bigint not null, rule_ids varchar[] not null, row json not null)""",
    """create table if not exists quality.repairs (
        refresh_id varchar not null, table_name varchar not null, rule_id varchar not null,
        rule_fingerprint varchar not null, _row_id bigint not null, patient_id varchar, column_name varchar not null,
        was varchar, became varchar not null, observed varchar, evidence varchar not null, confidence varchar not null,
        protocol_digest varchar not null)""",
    """create table if not exists quality.cases (
        refresh_id varchar not null, case_id varchar not null, question varchar not null, patient_id varchar not null,
        rule_ids varchar[] not null, evidence_digest varchar not null, evidence varchar[] not null,
        default_choice varchar not null, decision varchar, in_force varchar not null, state varchar not null,
        decided_by varchar, decided_on date, reason varchar)""",
    """create table if not exists quality.unblindings (
        looked_at timestamp not null, what varchar not null, reason varchar not null, by_whom varchar not null)""",
    """create table if not exists quality.volumes (
        refresh_id varchar not null, name varchar not null, value double)""",
    """create table if not exists quality.checks (
        refresh_id varchar not null, rule_id varchar not null, table_name varchar not null, category varchar not null,
        action varchar not null, rows bigint not null, failing_rows bigint not null, share double not null,
        tolerate double not null, passed boolean not null, blocking boolean not null, seconds double,
        seq integer, basis varchar, new bigint, persisting bigint, resolved bigint, reopened bigint,
        rule_changed bigint, backwards bigint, notes varchar[])""",
    *(f"alter table quality.checks add column if not exists {column}" for column in _OVER_TIME),
    """create table if not exists quality.finding_events (
        finding_id bigint not null, seq integer not null, refresh_id varchar not null, is_last boolean not null,
        seen_refresh varchar, table_name varchar not null, rule_id varchar not null, row_key varchar not null,
        occurrence integer not null, keyed_by varchar not null, rule_fingerprint varchar not null, patient_id varchar,
        _row_id bigint not null, file varchar, file_sha256 varchar, state varchar not null, because varchar not null,
        is_open boolean not null, is_aside boolean not null, is_backwards boolean not null,
        first_refresh varchar not null, times_opened integer not null)""",
    """create table if not exists quality.quarantine_releases (
        refresh_id varchar not null, table_name varchar not null, rule_id varchar not null, row_key varchar not null,
        _row_id bigint not null, patient_id varchar, rule_fingerprint varchar not null, because varchar not null)""",
    """create table if not exists quality.known_rows (
        table_name varchar not null, row_hash ubigint not null, hashed_by varchar not null)""",
    """-- every finding as it stands: one row per table, rule, row key and occurrence
    create or replace view quality.findings as
    with judged as (
        select table_name, rule_id, arg_max(refresh_id, seq) as refresh_id
        from quality.checks where basis is not null group by table_name, rule_id
    ),
    standing as (
        select
            e.*,
            coalesce(j.refresh_id, whole.refresh_id, e.refresh_id) as judged_refresh,
            if(e.is_open, judged_refresh, e.seen_refresh) as last_refresh,
        from quality.finding_events as e
        left join judged as j on j.table_name = e.table_name and j.rule_id = e.rule_id
        cross join (select arg_max(refresh_id, seq) as refresh_id from quality.checks) as whole
        where e.is_last
    )
    select
        s.table_name, s.rule_id, s.row_key, s.occurrence, s.keyed_by, s.rule_fingerprint, s.patient_id, s._row_id,
        s.file,
        if(s.is_open and s.refresh_id <> s.judged_refresh, 'persisting', s.state) as state, s.because, s.is_open,
        s.is_aside, s.is_backwards, s.first_refresh, f.started_at as first_seen, s.last_refresh,
        l.started_at as last_seen, s.refresh_id as changed_refresh,
        if(s.state = 'resolved', s.refresh_id, null) as resolved_refresh, s.times_opened,
    from standing as s
    left join quality.refreshes as f on f.refresh_id = s.first_refresh
    left join quality.refreshes as l on l.refresh_id = s.last_refresh""",
)
"""Statements that create what is not there yet."""

_NAME = re.compile(r"create table if not exists (quality\.\w+) \((.*)\)", re.DOTALL)
LEDGER_TABLES: dict[str, tuple[str, ...]] = {
    found[1]: tuple(part.split()[0] for part in found[2].split(",")) for ddl in DDL if (found := _NAME.match(ddl))
}
"""Every table of the ledger with its columns."""
