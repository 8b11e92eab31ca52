"""The floor of the gate's bench: the same fifteen rules as one would write them by hand, for this table alone.

One pass with every condition, the limits and the persons joined in, a bit per rule; the two rules about duplicates by
hashes first and exactly afterwards; then the same outputs as the gate's: keyed violations with what was seen, the rows
set aside whole, and the rows that are left. It knows no versions, contracts, repairs, waivers, verdicts or samples.

What does not belong here: the gate.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise

from aclf_pipeline.bench.gate_rules import HOLDS, RULE_IDS
from aclf_pipeline.warehouse.connection import Warehouse

_KEYS = {
    "key_unique": ("specimen_id", "loinc"),
    "not_twice": ("patient_id", "loinc", "collected_at", "value_text"),
}
_JOINED = {
    "within_limits": "value >= low and value <= high",
    "patient_known": "is_known is not null",
    "after_birth": "collected_at >= birth_month",
}
_SEEN = {
    "not_null": "concat('loinc=', coalesce(loinc, '(missing)'))",
    "number_as_text": "concat('value_text=', value_text)",
    "unit_listed": "concat('unit=', unit)",
    "code_pattern": "concat('source_code=', source_code)",
    "age_range": "concat('age_years_stated=', age_years_stated)",
    "times_in_order": "concat('reported_at=', reported_at, ', collected_at=', collected_at)",
    "columns_equal": "concat('request_id=', request_id, ', specimen_id=', specimen_id)",
    "number_if_censored": "concat('operator=', operator, ', value=', coalesce(value::varchar, '(missing)'))",
    "date_bounds": "concat('collected_at=', collected_at)",
    "specimen_known": "concat('specimen=', specimen)",
    "within_limits": "concat(value, ', limits ', low, ' to ', high)",
    "key_unique": "concat_ws(' ', specimen_id, loinc, '- one of several')",
    "patient_known": "'no front page'",
    "not_twice": "concat_ws(' ', loinc, value_text, 'at', collected_at, '- again')",
    "after_birth": "concat('collected ', collected_at, ', born ', birth_month)",
}
_NAMED = (
    "_row_id", "patient_id", "loinc", "value_text", "unit", "source_code", "age_years_stated", "reported_at",
    "collected_at", "request_id", "specimen_id", "operator", "value", "specimen",
)  # fmt: skip


def run_floor(wh: Warehouse) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Judge `staging.labs`, write violations, quarantine and `core.labs`; gives the seconds of the steps `judge`,
    `record` and `accept`, by the clock and of the processors.
    """
    marks = [(time.perf_counter(), time.process_time())]
    with wh.transaction():
        _flag(wh)
        _violate(wh)
        marks.append((time.perf_counter(), time.process_time()))
        _set_aside(wh)
    marks.append((time.perf_counter(), time.process_time()))
    _accept(wh)
    marks.append((time.perf_counter(), time.process_time()))
    steps = list(zip(("judge", "record", "accept"), pairwise(marks), strict=True))
    return {step: end[0] - start[0] for step, (start, end) in steps}, {
        step: end[1] - start[1] for step, (start, end) in steps
    }


def _flag(wh: Warehouse) -> None:
    for rule, columns in _KEYS.items():
        wh.execute(
            f"""-- keys that stand more than once, by hash: one row per key
            create or replace temp table repeated_{rule} as
            select distinct key_hash
            from (
                select key_hash, lag(key_hash) over (order by key_hash) as before
                from (
                    select hash({", ".join(columns)}) as key_hash from staging.labs
                    where {" and ".join(f"{column} is not null" for column in columns)}
                )
            )
            where key_hash = before"""
        )
    kept = HOLDS | _JOINED
    mask = " | ".join(f"if(({kept[rule]}) is false, {1 << i}, 0)" for i, rule in enumerate(RULE_IDS) if rule in kept)
    by_hash = " or ".join(f"{rule} is not null" for rule in _KEYS)
    joins = "\n".join(
        f"left join (select key_hash, true as {rule} from repeated_{rule}) as {rule} on {rule}.key_hash ="
        f" hash({', '.join(f'l.{column}' for column in columns)})"
        for rule, columns in _KEYS.items()
    )
    wh.execute(
        f"""-- rows that fail anything, with a bit per rule: one row per such row
        create or replace temp table flagged as
        select {", ".join(_NAMED)}, low, high, birth_month, {mask} as mask,
            {", ".join(_KEYS)}
        from staging.labs as l
        left join (select loinc as item, low, high from rules.limits) as m on m.item = l.loinc
        left join (
            select patient_id as person, true as is_known, min(birth_month) as birth_month
            from staging.patients group by person
        ) as p on p.person = l.patient_id
        {joins}
        where {" or ".join(f"({condition}) is false" for condition in kept.values())} or {by_hash}"""
    )


def _violate(wh: Warehouse) -> None:
    arms = []
    for i, rule in enumerate(RULE_IDS):
        if rule in _KEYS:
            columns = ", ".join(_KEYS[rule])
            where = f"{rule} qualify count(*) over (partition by {columns}) > 1"
        else:
            where = f"mask & {1 << i} <> 0"
        arms.append(
            f"select '{rule}' as rule_id, _row_id, patient_id, {_SEEN[rule]} as observed from flagged where {where}"
        )
    wh.execute(
        f"""-- what failed and why: one row per row and rule
        insert into quality.violations by name
        select
            'bench' as refresh_id, 'labs' as table_name, '' as rule_fingerprint, 'quarantine' as action,
            '' as protocol_digest, *,
        from ({" union all ".join(arms)})"""
    )


def _set_aside(wh: Warehouse) -> None:
    wh.execute(
        """-- rows set aside, whole: one row per staged row
        insert into quality.quarantine (table_name, _row_id, rule_ids, row)
        select 'labs', l._row_id, a.rule_ids, to_json(l)
        from staging.labs as l
        join (
            select _row_id, list(distinct rule_id order by rule_id) as rule_ids
            from quality.violations group by _row_id
        ) as a on a._row_id = l._row_id"""
    )


def _accept(wh: Warehouse) -> None:
    wh.execute(
        """create or replace table core.labs as
        select l.* from staging.labs as l
        anti join (select _row_id from quality.quarantine where table_name = 'labs') as aside
            on aside._row_id = l._row_id"""
    )
