"""Random and R's data for the tests of the Cox engine, and the partial likelihood written down as its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit

# R's fit → columns of time, event, start, and further arguments by column.
R_FITS: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "lung_efron": ("time", "event", None, {}),
    "lung_breslow": ("time", "event", None, {}),
    "lung_ties_efron": ("month", "event", None, {}),
    "lung_ties_breslow": ("month", "event", None, {}),
    "lung_freqw": ("time", "event", None, {"weight": "wi"}),
    "lung_robust": ("time", "event", None, {"robust": True}),
    "lung_cluster_inst": ("time", "event", None, {"cluster": "inst"}),
    "lung_strata": ("time", "event", None, {"strata": "sex"}),
    "veteran": ("time", "status", None, {}),
    "pbc_tfs": ("time", "tfs", None, {}),
    "pbc_cs_death": ("time", "death", None, {}),
    "pbc_lt": ("time", "tfs", "entry", {}),
    "pbc_lt_naive": ("time", "tfs", None, {}),
    "pbc_w_robust": ("time", "tfs", None, {"weight": "w", "robust": True}),
    "pbcseq_tv": ("tstop", "death", "tstart", {}),
    "pbc_landmark180": ("time", "tfs", None, {}),
}


def fit_as_r(key: str, frame: pl.DataFrame, expected: dict[str, Any]) -> CoxFit:
    """Fit the model R fitted, on the frame it fitted it on."""
    time, event, start, options = R_FITS[key]
    if key == "pbc_landmark180":
        frame = frame.filter(pl.col("time") > 180).with_columns(pl.col("time") - 180)
    arguments = {name: frame[of].to_numpy() if isinstance(of, str) else of for name, of in options.items()}
    return fit_cox(
        frame[time].to_numpy(),
        frame[event].to_numpy() == 1,
        frame.select(expected["terms"]).to_numpy().astype(float),
        expected["terms"],
        start=frame[start].to_numpy() if start else None,
        ties=expected["method"],
        **arguments,
    )


def draw_case(
    seed: int, n: int = 60, p: int = 3, *, entry: bool = False, strata: int = 1, weights: bool = False, days: int = 25
) -> dict[str, Any]:
    """Arguments of fit_cox: whole days, so that there are ties, and covariates that matter."""
    rng = np.random.default_rng(seed)
    design = np.column_stack([rng.normal(size=n), rng.random(n) < 0.5, *rng.normal(size=(p - 2, n))]).astype(float)
    start = np.floor(rng.random(n) * days / 2) if entry else None
    life = np.ceil(rng.exponential(days * np.exp(-design @ np.linspace(0.6, -0.4, p))))
    stop = np.minimum(life, days) + (0 if start is None else start)
    case: dict[str, Any] = {"stop": stop, "event": (life <= days) & (rng.random(n) < 0.8), "design": design}
    case["names"] = [f"x{i}" for i in range(p)]
    if start is not None:
        case["start"] = start
    if strata > 1:
        case["strata"] = rng.integers(0, strata, n)
    if weights:
        case["weight"] = rng.integers(1, 5, n) / 2
    return case


def by_definition(case: dict[str, Any], beta: np.ndarray, ties: str = "efron") -> float:
    """Log partial likelihood, one event time after another, in extended precision."""
    stop, event, n = case["stop"], case["event"], len(case["stop"])
    start, stratum = case.get("start", np.full(n, -np.inf)), case.get("strata", np.zeros(n))
    weight = case.get("weight", np.ones(n)).astype(np.longdouble)
    linear = case["design"].astype(np.longdouble) @ beta.astype(np.longdouble)
    total = np.longdouble(0)
    for layer in np.unique(stratum):
        for moment in np.unique(stop[event & (stratum == layer)]):
            at_risk = (stratum == layer) & (start < moment) & (stop >= moment)
            dead = at_risk & event & (stop == moment)
            total += (weight * linear)[dead].sum()
            for k in range(dead.sum()):
                share = k / dead.sum() if ties == "efron" else 0
                risk = weight * np.exp(linear)
                total -= weight[dead].mean() * np.log(risk[at_risk].sum() - share * risk[dead].sum())
    return float(total)
