"""All of R's answers beside the repository against our estimators: one table, every quantity within its tolerance."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline_tests.science.reference import FOLDER
from aclf_pipeline_tests.science.reference_quantities import FILES, compared


@pytest.mark.skipif(not FOLDER.exists(), reason="no folder of R's answers beside the repository")
def test_every_file_of_answers_is_met(capsys):
    files = {path.stem for path in FOLDER.glob("[0-9]*.json") if not path.stem.startswith("00_")}
    assert files <= set(FILES), "a file of answers that nothing is compared with"
    rows = [row for name in sorted(files) for row in compared(name)]
    table = pl.DataFrame(rows, schema=["file", "quantity", "difference", "tolerance"], orient="row")
    with capsys.disabled(), pl.Config(tbl_rows=-1, fmt_str_lengths=60, tbl_hide_dataframe_shape=True):
        print(table.with_columns(within=pl.col("difference") <= pl.col("tolerance")))
    assert table.filter(pl.col("difference") > pl.col("tolerance")).rows() == []
