"""Right-censored data for the bench of survival engines, drawn once and read by every one of them, R included.

Deaths from a Weibull hazard with set log hazard ratios, in whole days, so that there are ties; about half are censored.
Files hold plain 8-byte reals (column after column) and 4-byte whole numbers, which R and NumPy both read.

What does not belong here: fitting (`survival_engines`, `survival_engines.R`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHAPE = 0.62
DAYS = 400.0
STUDY = 730.0
REALS, DRAWS, ABOUT = "rows.f64", "draws.i32", "about.json"


@dataclass(frozen=True)
class Rows:
    """days (n), died (n), design (n × p), draws (number × n, places of rows; empty where no resampling is asked)."""

    days: Floats
    died: NDArray[np.bool_]
    design: Floats
    draws: NDArray[np.int64]

    @property
    def names(self) -> list[str]:
        """Names of the covariates."""
        return [f"x{k}" for k in range(self.design.shape[1])]


def draw(n: int, covariates: int, draws: int, seed: int) -> Rows:
    """Draw n people, half of the covariates yes/no, and bootstrap draws of them; the same seed draws the same."""
    rng = np.random.default_rng([seed, n, covariates])
    design = rng.normal(size=(n, covariates))
    design[:, 1::2] = design[:, 1::2] > 0.6
    beta = np.resize([0.5, 0.3, -0.4, 0.7, 0.0], covariates)
    eta = (design - design.mean(axis=0)) @ beta
    latent = DAYS * (rng.standard_exponential(n) * np.exp(-eta)) ** (1 / SHAPE)
    end = rng.uniform(30, STUDY, n)
    days = np.maximum(np.ceil(np.minimum(latent, end)), 1.0)
    return Rows(days, latent <= end, design, rng.integers(0, n, (draws, n)))


def write(folder: Path, rows: Rows) -> None:
    """Write the rows for every engine."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = np.vstack([rows.days, rows.died.astype(np.float64), rows.design.T])
    columns.tofile(folder / REALS)
    rows.draws.astype(np.int32).tofile(folder / DRAWS)
    n, p = rows.design.shape
    (folder / ABOUT).write_text(json.dumps({"n": n, "covariates": p, "draws": len(rows.draws)}), encoding="utf-8")


def read(folder: Path) -> Rows:
    """Read what `write` wrote."""
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    columns = np.fromfile(folder / REALS).reshape(about["covariates"] + 2, about["n"])
    draws = np.fromfile(folder / DRAWS, dtype=np.int32).reshape(about["draws"], about["n"])
    design = np.ascontiguousarray(columns[2:].T)
    return Rows(columns[0].copy(), columns[1] > 0, design, draws.astype(np.int64))
