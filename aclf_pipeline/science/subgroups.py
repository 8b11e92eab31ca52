"""Subgroup analysis: the hazard ratio within each level, and the one test that matters, that of interaction.

Ratios within levels are of separate models; whether they differ is a likelihood ratio test of the product terms in one
model, adjusted over subgroups by Holm (family-wise) and Benjamini–Hochberg (Wang et al. 2007, N Engl J Med 357:2189).
A level with few events has no estimate. Which subgroups are looked at is the analysis plan's; figures do not belong
here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.cox_model import ChiSquare
from aclf_pipeline.science.multiplicity import adjust_p
from aclf_pipeline.science.problems import StatisticalProblem, event_flag, require_columns

WHAT = "subgroups"
FEWEST_EVENTS = 10
EVERYBODY = "all"
_RATIO = ("log_hr", "se", "hr", "lower", "upper", "p")
SCHEMA = {
    "subgroup": pl.String,
    "level": pl.String,
    "n": pl.Int64,
    "events": pl.Int64,
    **dict.fromkeys(_RATIO, pl.Float64),
    "reason": pl.String,
    "df": pl.Int64,
    **dict.fromkeys(("statistic", "p_interaction", "p_wald", "p_holm", "p_bh"), pl.Float64),
    "interaction_reason": pl.String,
}


def subgroup_effects(
    frame: pl.DataFrame,
    duration: str,
    event: str,
    exposure: str,
    subgroups: Sequence[str],
    *,
    covariates: Sequence[str] = (),
    entry: str | None = None,
    strata: str | Sequence[str] | None = None,
    fewest_events: int = FEWEST_EVENTS,
) -> pl.DataFrame:
    """Return a row for everybody and a row per subgroup and level, with the ratio of `exposure` in each.

    `exposure` is a number or yes/no (one column); subgroups are text, yes/no or few whole numbers, adjusted for
    `covariates` as `cox.cox` codes them. Columns: subgroup ('all' first), level, n, events, log_hr, se, hr, lower,
    upper (95 %), p, reason (why there is no ratio: fewer events than `fewest_events`, or no fit); and, the same on
    each row of a subgroup: df, statistic and p_interaction of the likelihood ratio test, p_wald, p_holm and p_bh over
    the subgroups, interaction_reason. Rows missing any column used are set aside. Raises StatisticalProblem for
    unknown columns, and an exposure that is text or a subgroup of itself.
    """
    layers = (strata,) if isinstance(strata, str) else tuple(strata or ())
    used = [duration, event, exposure, *subgroups, *covariates, *layers, *((entry,) if entry else ())]
    require_columns(frame, used, WHAT)
    if not (frame.schema[exposure].is_numeric() or frame.schema[exposure] == pl.Boolean) or exposure in subgroups:
        raise StatisticalProblem(f"{WHAT}: the exposure '{exposure}' is one number or yes/no, and no subgroup itself")
    floats = [name for name in dict.fromkeys(used) if frame.schema[name].is_float()]
    rows = frame.select(list(dict.fromkeys(used))).with_columns(pl.col(floats).fill_nan(None)).drop_nulls()
    rows = rows.with_columns(event_flag(rows, event, WHAT).alias(event), pl.col(exposure).cast(pl.Float64))

    def ratio(part: pl.DataFrame, without: str | None) -> dict[str, object]:
        return _ratio(part, duration, event, [exposure, *(c for c in covariates if c != without)], entry, layers,
                      fewest_events)  # fmt: skip

    found: list[dict[str, object]] = [{"subgroup": EVERYBODY, "level": EVERYBODY, **ratio(rows, None)}]
    tests: dict[str, dict[str, object]] = {}
    for name in subgroups:
        labelled = rows.with_columns(_level=_label(rows[name]))
        for level in sorted(labelled["_level"].unique()):
            part = labelled.filter(pl.col("_level") == level)
            found.append({"subgroup": name, "level": level, **ratio(part, name)})
        others = [c for c in covariates if c != name]
        tests[name] = _interaction(labelled, duration, event, exposure, others, entry, layers)
    p = np.array([tests[name]["p_interaction"] for name in subgroups], dtype=np.float64)
    adjusted = {"p_holm": adjust_p(p, "holm"), "p_bh": adjust_p(p, "bh")}
    for row in found[1:]:
        place = list(subgroups).index(str(row["subgroup"]))
        row |= tests[str(row["subgroup"])] | {name: float(values[place]) for name, values in adjusted.items()}
    table = pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in found], schema=SCHEMA)
    return table.with_columns(pl.col("p_holm", "p_bh").fill_nan(None))


def _label(column: pl.Series) -> pl.Series:
    """Levels as text: yes and no for a flag, whole numbers without a point."""
    if column.dtype == pl.Boolean:
        return column.replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
    whole = column.dtype.is_float() and bool((column % 1 == 0).all())
    return column.cast(pl.Int64).cast(pl.String) if whole else column.cast(pl.String)


def _ratio(
    part: pl.DataFrame,
    duration: str,
    event: str,
    terms: Sequence[str],
    entry: str | None,
    strata: tuple[str, ...],
    fewest: int,
) -> dict[str, object]:
    """The ratio of the first term in some rows, or why there is none."""
    counts: dict[str, object] = {"n": part.height, "events": int(part[event].sum())}
    if part[event].sum() < fewest:
        return counts | {"reason": f"{part[event].sum()} events, fewer than {fewest}"}
    try:
        fitted = cox(part, duration, event, terms, entry=entry, strata=strata or None)
    except StatisticalProblem as problem:
        return counts | {"reason": str(problem)}
    row = fitted.coefficients.row(0, named=True)
    return counts | {name: row[name] for name in _RATIO}


def _interaction(
    rows: pl.DataFrame,
    duration: str,
    event: str,
    exposure: str,
    covariates: Sequence[str],
    entry: str | None,
    strata: tuple[str, ...],
) -> dict[str, object]:
    """Likelihood ratio and Wald tests of the products of the exposure and the levels but the first."""
    levels = sorted(rows["_level"].unique())[1:]
    if not levels:
        return {"p_interaction": None, "interaction_reason": "one level only"}
    products = {f"{exposure}:{level}": pl.col(exposure) * (pl.col("_level") == level) for level in levels}
    wide = rows.with_columns(pl.col("_level").cast(pl.Enum([sorted(rows["_level"].unique())[0], *levels])))
    wide = wide.with_columns(**{name: made.cast(pl.Float64) for name, made in products.items()})
    plain = [exposure, "_level", *covariates]
    try:
        options = {"entry": entry, "strata": strata or None}
        without = cox(wide, duration, event, plain, **options)  # type: ignore[arg-type]
        full = cox(wide, duration, event, [*plain, *products], **options)  # type: ignore[arg-type]
    except StatisticalProblem as problem:
        return {"p_interaction": None, "interaction_reason": str(problem)}
    test = ChiSquare.of(2 * (full.loglik - without.loglik), len(levels))
    place = [full.fit.names.index(name) for name in products]
    coef = full.fit.coef[place]
    wald = ChiSquare.of(float(coef @ np.linalg.solve(full.fit.vcov[np.ix_(place, place)], coef)), len(levels))
    return {"df": test.df, "statistic": test.statistic, "p_interaction": test.p, "p_wald": wald.p}
