"""R's answers to reproduce, where a folder of them lies beside the repository; the tests that want them skip without.

Made with R 4.2.2 and survival 3.5-3; the answers are the same under survival 3.8-6.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "reference"


def answers(name: str) -> Any:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no R answers '{name}' beside the repository")
    return json.loads(path.read_text(encoding="utf-8"))


def data(name: str) -> pl.DataFrame:
    path = FOLDER / "inputs" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"no R input '{name}' beside the repository")
    return pl.read_csv(path, null_values=["NA"], infer_schema_length=None)


def numbers(values: Any) -> np.ndarray:
    """R's null is NaN."""
    return np.array(values, dtype=object).astype(np.float64)


def assert_close(ours: pl.Series, theirs: Any, tolerance: float) -> None:
    """Equal within a tolerance, and missing in the same places."""
    np.testing.assert_allclose(
        ours.cast(pl.Float64).fill_null(np.nan).to_numpy(), numbers(theirs), rtol=0, atol=tolerance
    )
