"""What there is of everything: counts of core as a whole and by calendar year, as frames that expectations measure.

What does not belong here: what is expected of a count (expectations.yaml).
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.warehouse.connection import Warehouse

CHANGING = ("patients", "rows_stays", "rows_labs", "rows_infusions", "rows_followups", "rows_deaths")
"""Counts that are compared with the last published refresh."""


def volume(wh: Warehouse) -> pl.DataFrame:
    """The table `volume` of the page: one row of counts over core and quarantine.

    `rows_<kind>` for each kind, `patients` (distinct record numbers), `labs_per_patient` and `vitals_per_patient` (null
    without patients), `worst_quarantined_share`: the largest share set aside of the current rows of one kind.
    """
    counts = {kind: int(wh.scalar(f"select count(*) from core.{kind}")) for kind in KINDS}
    aside = dict(
        wh.rows(
            """-- rows set aside: one row per table
            select table_name, count(*) from quality.quarantine group by table_name"""
        )
    )
    patients = int(wh.scalar("select count(distinct patient_id) from core.patients"))
    shares = [
        aside.get(kind, 0) / (counts[kind] + aside.get(kind, 0)) for kind in KINDS if counts[kind] or kind in aside
    ]
    return pl.DataFrame(
        {f"rows_{kind}": [count] for kind, count in counts.items()}
        | {
            "patients": [patients],
            "labs_per_patient": pl.Series([counts["labs"] / patients if patients else None], dtype=pl.Float64),
            "vitals_per_patient": pl.Series([counts["vitals"] / patients if patients else None], dtype=pl.Float64),
            "worst_quarantined_share": [max(shares, default=0.0)],
        }
    )


def keep_volume(wh: Warehouse, counts: pl.DataFrame, refresh_id: str) -> None:
    """Note the counts of a refresh, so that a later one can be compared with it."""
    long = counts.select(pl.col(name).cast(pl.Float64) for name in CHANGING).unpivot(
        variable_name="name", value_name="value"
    )
    wh.execute("delete from quality.volumes where refresh_id = ?", [refresh_id])
    wh.append("quality.volumes", long.select(pl.lit(refresh_id).alias("refresh_id"), "name", "value"))


def with_change(wh: Warehouse, counts: pl.DataFrame) -> pl.DataFrame:
    """The counts with `change_<name>`, the ratio to the last published refresh; null when there is none."""
    before = dict(
        wh.rows(
            """-- counts of the newest published refresh: one row per count
            select v.name, v.value
            from quality.volumes as v
            inner join quality.refreshes as r on v.refresh_id = r.refresh_id
            where r.state = 'published'
            qualify r.started_at = max(r.started_at) over ()"""
        )
    )
    changes = [
        (pl.col(name) / pl.lit(before.get(name) or None, pl.Float64)).alias(f"change_{name}") for name in CHANGING
    ]
    return counts.with_columns(changes)


def yearly(wh: Warehouse) -> pl.DataFrame:
    """The table `years` of the page: one row per calendar year of admission.

    `year`, `stays`, `stays_with_labs` (share of stays with at least one result), `labs_per_stay`, `codes_per_stay`
    (diagnoses). A year without stays has no row.
    """
    return wh.frame(
        """-- stays and what came with them: one row per year of admission
        with labs as (select stay_id, count(*) as labs from core.labs group by stay_id),
        codes as (select stay_id, count(*) as codes from core.diagnoses group by stay_id)
        select year(s.admitted_at) as year, count(*) as stays,
            count(labs.labs) / count(*) as stays_with_labs,
            coalesce(sum(labs.labs), 0) / count(*) as labs_per_stay,
            coalesce(sum(codes.codes), 0) / count(*) as codes_per_stay
        from core.stays as s
        left join labs on labs.stay_id = s.stay_id
        left join codes on codes.stay_id = s.stay_id
        where s.admitted_at is not null
        group by all order by year"""
    )
