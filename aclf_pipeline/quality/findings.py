"""Findings told apart from those of the refresh before, in the database and in sets: half a million are no burden.

`quality.finding_events` has one row per change of a finding, whole; the last one of each (`is_last`) is how it stands,
and the view `quality.findings` shows that. A finding that stays as and where it was makes no event: most are recognised
by rule and row id alone, and only of the others is it asked what row they are.

What does not belong here: which rules were judged and what they asked (`history`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aclf_pipeline.quality.fates import read_fates
from aclf_pipeline.quality.row_keys import key_rows
from aclf_pipeline.warehouse.connection import Warehouse

CAME_BACK = "came back"
"""Why a finding is open that had been resolved."""
_TEMPORARY = ("rules", "now", "last", "stay", "left", "rows", "pairs", "fates", "changes")


def undo(wh: Warehouse, refresh_id: str, kinds: Sequence[str]) -> None:
    """Take back what a refresh wrote before, when it is judged again."""
    given = {"refresh": refresh_id, "kinds": list(kinds)}
    own = "refresh_id = $refresh and list_contains($kinds, table_name)"
    wh.execute(f"delete from quality.quarantine_releases where {own}", given)
    if not wh.scalar(f"select count(*) from quality.finding_events where {own}", given):
        return
    wh.execute(f"delete from quality.finding_events where {own}", given)
    wh.execute(
        """-- how findings stood before
        update quality.finding_events as e set is_last = true
        from (
            select finding_id, max(seq) as seq from quality.finding_events
            group by finding_id having not bool_or(is_last)
        ) as l
        where l.finding_id = e.finding_id and l.seq = e.seq"""
    )


def tell_apart(wh: Warehouse, refresh_id: str, kinds: Sequence[str], seq: int) -> None:
    """Write what changed since the last refresh. Needs `temp.history_rules`."""
    _read(wh, refresh_id)
    key_rows(wh, kinds)
    _pair(wh, refresh_id)
    read_fates(wh, kinds)
    _name(wh, refresh_id)
    _write(wh, refresh_id, seq)


def _read(wh: Warehouse, refresh_id: str) -> None:
    wh.execute(
        """-- what fails now: one row per rule and staged row
        create or replace temp table history_now as
        with failing as (
            select r.rule_no, v._row_id, bool_or(v.action = 'repair') as is_mended
            from quality.violations as v
            join history_rules as r on r.table_name = v.table_name and r.rule_id = v.rule_id
            where v.refresh_id = $refresh and r.is_judged
            group by all
        ),
        aside as (
            select r.rule_no, q._row_id
            from (select table_name, _row_id, unnest(rule_ids) as rule_id from quality.quarantine) as q
            join history_rules as r on r.table_name = q.table_name and r.rule_id = q.rule_id
        )
        select f.rule_no, f._row_id, f.is_mended, a._row_id is not null as is_aside
        from failing as f
        left join aside as a on a.rule_no = f.rule_no and a._row_id = f._row_id""",
        {"refresh": refresh_id},
    )
    wh.execute(
        """-- how findings stood, and whether the file they stand in is the same: one row per finding
        create or replace temp table history_last as
        select e.finding_id, r.rule_no, e._row_id, e.is_open, e.is_aside, f.file_id is not null as is_here
        from quality.finding_events as e
        join history_rules as r on r.table_name = e.table_name and r.rule_id = e.rule_id
        left join quality.files as f on f.file_id = row_file(e._row_id) and f.sha256 = e.file_sha256
        where e.is_last and (r.is_judged or r.is_removed)"""
    )
    wh.execute(
        """-- findings that are where they were: one row per finding
        create or replace temp table history_stay as
        select l.finding_id, n.rule_no, n._row_id, n.is_mended, n.is_aside, l.is_aside as was_aside
        from history_now as n
        join history_last as l on l.rule_no = n.rule_no and l._row_id = n._row_id
        where l.is_open and l.is_here"""
    )
    wh.execute(
        """-- failing rows of which it must be asked what they are: one row per rule and staged row
        create or replace temp table history_left as
        select r.table_name, n.* from history_now as n
        join history_rules as r on r.rule_no = n.rule_no
        anti join history_stay as s on s.rule_no = n.rule_no and s._row_id = n._row_id"""
    )


def _pair(wh: Warehouse, refresh_id: str) -> None:
    """Failing rows beside the findings they are; open findings come first, and rows of equal key one by one."""
    wh.execute(
        """-- findings that are no longer where they were, and failing rows: one row per pair
        create or replace temp table history_pairs as
        with said as (
            select r.rule_no, v._row_id, any_value(v.patient_id) as patient_id,
                any_value(v.rule_fingerprint) as rule_fingerprint
            from quality.violations as v
            join history_rules as r on r.table_name = v.table_name and r.rule_id = v.rule_id
            semi join history_left as l on l.rule_no = r.rule_no and l._row_id = v._row_id
            where v.refresh_id = $refresh
            group by all
        ),
        found as (
            select
                l.rule_no, l._row_id, l.is_mended, l.is_aside, k.row_key, k.keyed_by, k.row_hash, k.file, k.file_sha256,
                s.patient_id, s.rule_fingerprint,
                row_number() over (partition by l.rule_no, k.row_key order by l._row_id) as place,
            from history_left as l
            join history_rows as k on k.table_name = l.table_name and k._row_id = l._row_id
            left join said as s on s.rule_no = l.rule_no and s._row_id = l._row_id
        ),
        before as (
            select
                l.rule_no, e.*,
                row_number() over (partition by l.rule_no, e.row_key order by e.is_open desc, e.occurrence) as place,
            from history_last as l
            anti join history_stay as s on s.finding_id = l.finding_id
            join quality.finding_events as e on e.finding_id = l.finding_id and e.is_last
            where e.is_open or e.row_key in (select row_key from found)
        )
        select
            rule_no, row_key, place, b.finding_id, b.occurrence,
            f._row_id is not null as is_found,
            coalesce(b.is_open, false) as was_open, coalesce(b.is_aside, false) as was_aside,
            coalesce(b.is_backwards, false) as was_backwards, b.state as was_state, b.because as was_because,
            b._row_id as was_row_id, b.file_sha256 as was_sha256, b.first_refresh, b.times_opened,
            coalesce(f._row_id, b._row_id) as _row_id, if(f._row_id is null, b.file, f.file) as file,
            if(f._row_id is null, b.file_sha256, f.file_sha256) as file_sha256,
            f.row_hash, coalesce(f.keyed_by, b.keyed_by) as keyed_by,
            coalesce(f.patient_id, b.patient_id) as patient_id,
            coalesce(f.rule_fingerprint, b.rule_fingerprint) as rule_fingerprint,
            coalesce(f.is_aside, false) as is_aside, coalesce(f.is_mended, false) as is_mended,
        from found as f
        full join before as b using (rule_no, row_key, place)
        where f._row_id is not null or b.is_open
        union all by name
        select
            s.rule_no, e.row_key, e.finding_id, e.occurrence, true as is_found, true as was_open,
            s.was_aside, e.is_backwards as was_backwards, e.state as was_state, e.because as was_because,
            e._row_id as was_row_id, e.file_sha256 as was_sha256, e.first_refresh, e.times_opened, e._row_id,
            e.file, e.file_sha256, e.keyed_by, e.patient_id, e.rule_fingerprint, s.is_aside, s.is_mended,
        from history_stay as s
        join quality.finding_events as e on e.finding_id = s.finding_id and e.is_last
        where s.is_aside <> s.was_aside""",
        {"refresh": refresh_id},
    )


def _name(wh: Warehouse, refresh_id: str) -> None:
    wh.execute(
        """-- what became of each finding, and why: one row per finding that may have changed
        create or replace temp table history_changes as
        with known as (
            select distinct k.table_name, k.row_hash
            from quality.known_rows as k
            semi join (select row_hash from history_pairs where is_found and not was_open) as p using (row_hash)
            where k.hashed_by = version()
        ),
        opened as (
            select
                p.*, r.table_name, r.rule_id, r.is_audit, r.asks_person, r.is_removed, r.is_rule_new,
                r.is_rule_changed, r.last_refresh, if(p.is_found, null, t.fate) as fate,
                p.keyed_by = 'identity' and k.row_hash is not null as is_known,
                coalesce(f.loaded_at < n.started_at, false) as is_old_file,
                is_known or is_old_file as is_old,
            from history_pairs as p
            join history_rules as r on r.rule_no = p.rule_no
            left join known as k on k.table_name = r.table_name and k.row_hash = p.row_hash
            left join quality.files as f on f.file_id = row_file(p._row_id)
            left join quality.refreshes as n on n.refresh_id = $refresh
            left join history_fates as t
                on t.table_name = r.table_name and t.row_key = p.row_key and t.was_row_id = p.was_row_id
        ),
        told as (
            select
                *,
                case
                    when is_found and was_open then 'persisting'
                    when is_found and was_state = 'resolved' and not is_rule_changed and not is_rule_new then 'reopened'
                    when is_found and (is_rule_changed or is_rule_new) and is_old then 'rule_changed'
                    when is_found then 'new'
                    when fate in ('withdrawn', 'replaced') then 'resolved'
                    when is_removed or is_rule_changed then 'rule_changed'
                    else 'resolved'
                end as state,
            from opened
        )
        select
            *,
            case
                when state = 'persisting' then was_because
                when state = 'reopened' then $came_back
                when state = 'rule_changed' and is_removed then 'rule removed'
                when state = 'rule_changed' and is_rule_new then 'rule new'
                when state = 'rule_changed' then 'rule changed'
                when is_found and not is_old then 'row delivered'
                when is_found and not is_old_file then 'row changed'
                when fate in ('withdrawn', 'replaced', 'corrected') then 'row ' || fate
                when fate = 'repaired' then fate
                when is_audit then 'other rows'
                else 'read otherwise'
            end as because,
            case
                when state = 'persisting' then was_backwards
                else state = 'reopened' or (state = 'new' and is_known)
            end as is_backwards,
        from told""", {"refresh": refresh_id, "came_back": CAME_BACK},
    )  # fmt: skip


def _write(wh: Warehouse, refresh_id: str, seq: int) -> None:
    """The events, and a line for whatever left quarantine."""
    wh.execute(
        """update quality.finding_events as e set is_last = false
        from history_changes as c where c.finding_id = e.finding_id and e.is_last"""
    )
    wh.execute(
        """-- findings that changed, moved, were set aside or let go: one row per finding
        insert into quality.finding_events by name
        with unseen as (
            select rule_no, table_name, rule_id, row_key, count(finding_id) as paired from history_changes
            where is_found group by all having count(*) > count(finding_id)
        ),
        known as (
            select u.rule_no, u.row_key, coalesce(max(e.occurrence), 0) - any_value(u.paired) as most
            from unseen as u
            left join quality.finding_events as e
                on e.row_key = u.row_key and e.rule_id = u.rule_id and e.table_name = u.table_name
            group by all
        ),
        numbered as (
            select
                c.* replace (
                    coalesce(c.finding_id, last_id.most + row_number() over ()) as finding_id,
                    coalesce(c.occurrence, k.most + c.place)::integer as occurrence
                ),
            from history_changes as c
            left join known as k on k.rule_no = c.rule_no and k.row_key = c.row_key
            cross join (select coalesce(max(finding_id), 0) as most from quality.finding_events) as last_id
        )
        select
            finding_id, $seq as seq, $refresh as refresh_id, true as is_last,
            if(is_found, $refresh, last_refresh) as seen_refresh, table_name, rule_id, row_key, occurrence, keyed_by,
            rule_fingerprint, patient_id, _row_id, file, file_sha256, state, because, is_found as is_open, is_aside,
            is_backwards, coalesce(first_refresh, $refresh) as first_refresh,
            coalesce(times_opened, 0) + (is_found and not was_open)::integer as times_opened,
        from numbered""",
        {"seq": seq, "refresh": refresh_id},
    )
    wh.execute(
        """-- what a rule had set aside and sets aside no more: one row per finding
        insert into quality.quarantine_releases by name
        select
            $refresh as refresh_id, table_name, rule_id, row_key, _row_id, patient_id, rule_fingerprint,
            case
                when not is_found then because
                when asks_person then 'adjudicated'
                when is_mended then 'repaired'
                else 'rule changed'
            end as because,
        from history_changes
        where was_aside and not is_aside""",
        {"refresh": refresh_id},
    )


def counts(wh: Warehouse) -> list[tuple[str, str, int]]:
    """Rule id, state and number of findings, of this refresh: what persists, and what changed in it."""
    return wh.rows(
        """-- findings by what became of them: one row per rule and state
        with changed as (
            select rule_no, state, count(*) as findings from history_changes where state <> 'persisting' group by all
        ),
        failing as (select rule_no, count(*) as findings from history_now group by all),
        opened as (
            select rule_no, count(*) as findings from history_changes where is_found and not was_open group by all
        )
        select r.rule_id, c.state, c.findings
        from changed as c
        join history_rules as r on r.rule_no = c.rule_no
        union all
        select r.rule_id, 'persisting', f.findings - coalesce(o.findings, 0)
        from failing as f
        join history_rules as r on r.rule_no = f.rule_no
        left join opened as o on o.rule_no = f.rule_no"""
    )


def gone_backwards(wh: Warehouse) -> pl.DataFrame:
    """The open findings that went backwards (rule_id, _row_id, patient_id, because)."""
    return wh.frame(
        """-- open findings that went backwards: one row per finding
        select rule_id, _row_id, patient_id, because from quality.finding_events
        where is_last and is_open and is_backwards order by rule_id, _row_id"""
    )


def forget(wh: Warehouse) -> None:
    """Drop what was only needed to tell findings apart."""
    for name in _TEMPORARY:
        wh.execute(f"drop table if exists temp.history_{name}")
