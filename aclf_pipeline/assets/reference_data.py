"""The reference data that travel with the package, read: small public data sets, and what R says of them.

What does not belong here: the comparison itself (science.selfcheck) and whether a breach blocks a report.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import polars as pl

NAMES = ("lung", "veteran", "pbc", "pbc_second_visit", "separation")


def load_reference() -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Return the data sets by name, and R's answers by quantity; sources are in the README beside them."""
    folder = files("aclf_pipeline.science") / "reference_data"
    data = {name: pl.read_csv((folder / f"{name}.csv").read_bytes(), infer_schema_length=None) for name in NAMES}
    return data, json.loads((folder / "answers.json").read_text(encoding="utf-8"))
