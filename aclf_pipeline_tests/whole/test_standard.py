"""On a hospital with known defects, each class is met by the rule that is there for it."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.warehouse.connection import Warehouse

pytestmark = pytest.mark.xdist_group("standard")

MET_BY = {
    "date_impossible": {"labs_everything_parsed", "stays_everything_parsed", "patients_everything_parsed"},
}


def located(warehouse: Warehouse) -> pl.DataFrame:
    """Every finding with the file and line it points to."""
    return warehouse.frame(
        """select v.rule_id, v.action, f.path as file, row_line(v._row_id) as line
           from quality.violations as v join quality.files as f on f.file_id = row_file(v._row_id)
           union all
           select reason, 'repair', f.path, row_line(s._row_id)
           from quality.superseded as s join quality.files as f on f.file_id = row_file(s._row_id)"""
    )
