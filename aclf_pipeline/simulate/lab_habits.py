"""Habits of the laboratory, present in every profile: censored strings, words for numbers, decorations, re-issues.

Works on the long table of `labs` and adds the columns `_u` (row id), `status`, `reported` (instant, where it differs
from the tube's) and `batch` (where it differs). Not here: damage (`defects`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from . import lab_items as li
from .clock import BATCHES, SECONDS
from .lab_tubes import Tubes
from .labs import fixed
from .streams import Ints, stream

NONNUMERIC_SHARE, DECORATED_SHARE, REISSUED_SHARE, CANCELLED_SHARE = 0.002, 0.005, 0.004, 0.0003
MASS_UNIT, MASS_UNIT_SHARE = "mg/dL", 0.0005
# Divisor to mg/dL and range in mg/dL.
_MASS: dict[str, tuple[float, str]] = {
    "TBIL": (17.10, "0-1.35"), "DBIL": (17.10, "0-0.40"), "IBIL": (17.10, "0-0.99"), "CREA": (88.40, "0.57-1.24"),
}  # fmt: skip
_WORDS = ("溶血", "乳糜", "标本不合格", "****", "见报告", "复查")
_REISSUED_ITEMS = ("ALT", "AST", "ALP", "GGT", "UREA", "K", "NA", "GLU", "PLT", "HGB")
_DECORATED_PANELS = (li.LIVER, li.KIDNEY, li.CLOT, li.BLOOD)


def apply_habits(long: pl.DataFrame, tubes: Tubes, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(long table with habits, habit records).

    Records have columns `_u`, `defect_id`, `original`, `corrupted`.
    """
    rng = stream(seed, "lab-habits")
    n = long.height
    long = long.with_columns(
        pl.Series("_u", np.arange(n), dtype=pl.Int64),
        pl.lit("正式").alias("status"),
        pl.lit(None, dtype=pl.Int64).alias("reported"),
        pl.lit(None, dtype=pl.Int64).alias("batch"),
    )
    long = _mass_units(long, rng)
    censored = long.filter(pl.col("original").is_not_null()).select(
        "_u", pl.lit("censored_string").alias("defect_id"), "original", pl.col("result").alias("corrupted")
    )
    panel_of_item = np.array([item.panel in _DECORATED_PANELS for item in li.ITEMS])
    item = long.get_column("item").to_numpy()
    plain = panel_of_item[item] & long.get_column("original").is_null().to_numpy()
    plain &= (long.get_column("unit").fill_null("") != MASS_UNIT).to_numpy()
    open_rows = plain & ~tubes.protected[long.get_column("tube").to_numpy()]
    draw = rng.random(n)
    scale = n / max(1, int(open_rows.sum()))
    words = np.flatnonzero(open_rows & (draw < NONNUMERIC_SHARE * scale))
    decorated = np.flatnonzero(plain & (draw > 1 - DECORATED_SHARE * n / max(1, int(plain.sum()))))
    cancelled = np.flatnonzero(open_rows & (draw > 0.5) & (draw < 0.5 + CANCELLED_SHARE * scale))
    long, spoken = _words(long, words, rng)
    long, decorations = _decorate(long, decorated, rng)
    status = (
        long.get_column("status").scatter(cancelled, ["作废"] * len(cancelled)) if len(cancelled) else long["status"]
    )
    long = long.with_columns(status.alias("status"))
    can_reissue = np.isin(item, [li.POSITION[code] for code in _REISSUED_ITEMS]) & plain
    can_reissue &= (tubes.latest > BATCHES[-1].sent * SECONDS)[long.get_column("tube").to_numpy()]
    again = np.flatnonzero(
        can_reissue & (draw > 0.2) & (draw < 0.2 + REISSUED_SHARE * n / max(1, int(can_reissue.sum())))
    )
    again = np.setdiff1d(again, np.concatenate([words, decorated, cancelled]))
    long, reissues = _reissue(long, again, tubes, rng)
    return long, pl.concat([censored, spoken, decorations, reissues])


def _mass_units(long: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Bilirubins and creatinine of a few tubes in mg/dL, correctly named and with the range of that unit."""
    chosen: list[int] = []
    item = long.get_column("item").to_numpy()
    wanted = max(4, round(MASS_UNIT_SHARE * long.height))
    creatinine = np.flatnonzero(item == li.POSITION["CREA"])
    total = np.flatnonzero(item == li.POSITION["TBIL"])
    for row in rng.permutation(creatinine)[: wanted // 2]:
        chosen.append(int(row))
    tube = long.get_column("tube").to_numpy()
    for row in rng.permutation(total)[: wanted // 6 + 1]:
        for other in range(int(row), min(int(row) + 3, long.height)):
            if tube[other] == tube[row] and item[other] - item[row] < 3:
                chosen.append(other)
    result, unit, span = (long.get_column(name) for name in ("result", "unit", "span"))
    codes, values = long.get_column("code").gather(chosen).to_list(), long.get_column("value").gather(chosen).to_list()
    shown = [f"{value / _MASS[code][0]:.2f}" for code, value in zip(codes, values, strict=True)]
    return long.with_columns(
        result.scatter(chosen, shown),
        unit.scatter(chosen, [MASS_UNIT] * len(chosen)),
        span.scatter(chosen, [_MASS[code][1] for code in codes]),
    )


def _records(long: pl.DataFrame, rows: Ints, defect_id: str, before: list[str], after: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "_u": long.get_column("_u").gather(rows),
            "defect_id": [defect_id] * len(rows),
            "original": before,
            "corrupted": after,
        },
        schema={"_u": pl.Int64, "defect_id": pl.String, "original": pl.String, "corrupted": pl.String},
    )


def _words(long: pl.DataFrame, rows: Ints, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Words instead of numbers; `不凝` only for clotting times."""
    before = long.get_column("result").gather(rows).to_list()
    codes = long.get_column("code").gather(rows).to_list()
    after = [
        "不凝" if code in ("PT", "APTT") and rng.random() < 0.5 else _WORDS[int(rng.integers(len(_WORDS)))]
        for code in codes
    ]
    return _scattered(long, rows, after), _records(long, rows, "nonnumeric_result", before, after)


def _scattered(long: pl.DataFrame, rows: Ints, after: list[str]) -> pl.DataFrame:
    if not len(rows):
        return long
    return long.with_columns(long.get_column("result").scatter(rows, after).alias("result"))


def _decorate(long: pl.DataFrame, rows: Ints, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    part = long.select("result", "unit", "value")[rows]
    before, after = part.get_column("result").to_list(), []
    for text, unit, value in part.iter_rows():
        style = rng.random()
        if value >= 1000 and style < 0.5:
            whole, _, tail = text.partition(".")
            after.append(f"{int(whole):,}" + (f".{tail}" if tail else ""))
        elif style < 0.75:
            after.append(text + ("↑", "↓", " H", " L")[int(rng.integers(4))])
        else:
            # A unit that begins with a figure or × would run into the number.
            after.append(text + (unit if unit and unit[0] not in "1×" else "↑"))
    return _scattered(long, rows, after), _records(long, rows, "number_decorated", before, after)


def _reissue(
    long: pl.DataFrame, rows: Ints, tubes: Tubes, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first report carries another result; the second, later one is true. A few come with the next batch."""
    part = long[rows]
    value = part.get_column("value").to_numpy()
    sodium = part.get_column("code").to_numpy() == "NA"
    factor = 1 + rng.choice((-1, 1), len(rows)) * np.where(
        sodium, rng.uniform(0.012, 0.03, len(rows)), rng.uniform(0.05, 0.2, len(rows))
    )
    decimals = (
        part.get_column("result").str.split(".").list.get(1, null_on_oob=True).str.len_chars().fill_null(0).to_numpy()
    )
    first = []
    for number, places, text in zip(value * factor, decimals, part.get_column("result"), strict=True):
        shown = fixed(np.array([number]), int(places))[0]
        first.append(shown if shown != text else fixed(np.array([number * 1.3]), int(places))[0])
    tube = part.get_column("tube").to_numpy()
    reported = tubes.reported[tube] + rng.integers(2 * 3600, 40 * 3600, len(rows))
    batch: list[int | None] = [None] * len(rows)
    for k, position in enumerate(tube):
        own = int(tubes.batch[position])
        recent = BATCHES[own].cutoff - tubes.collected[position] // SECONDS < 150
        if k == len(tube) - 1:
            # One report of any age is corrected by the last delivery, so that it holds a laboratory file.
            batch[k] = len(BATCHES) - 1
            reported[k] = (BATCHES[-1].cutoff - 9) * SECONDS + 36_000
        elif recent and own + 1 < len(BATCHES) and rng.random() < 0.5:
            batch[k] = own + 1
            reported[k] = (BATCHES[own].sent + int(rng.integers(5, 60))) * SECONDS + int(rng.integers(9, 17)) * 3600
    second = part.with_columns(
        pl.lit("修改").alias("status"),
        pl.Series("reported", reported, dtype=pl.Int64),
        pl.Series("batch", batch, dtype=pl.Int64),
        (pl.Series("_u", np.arange(len(rows))) + long.height).alias("_u"),
    )
    records = pl.DataFrame({
        "_u": second.get_column("_u"), "defect_id": ["report_reissued"] * len(rows), "original": first,
        "corrupted": part.get_column("result"),
    }, schema={"_u": pl.Int64, "defect_id": pl.String, "original": pl.String, "corrupted": pl.String})  # fmt: skip
    return pl.concat([_scattered(long, rows, first), second]), records
