"""Public data sets with R's answers, small enough to travel with the tests: whoever runs them checks agreement with R.

Data, all from R's survival package: lung (Loprinzi et al. 1994, J Clin Oncol 12:601; the 212 complete rows; `wi` are
made-up frequency weights, `month` is time in months rounded up), veteran (Kalbfleisch & Prentice 1980), pbc (Fleming &
Harrington 1991): `pbc_second_visit` are those seen twice, at risk from the second visit, `pbc_risk` a linear predictor;
`pbc_complete` the 416 with all five covariates, `pbc_incomplete` all 418 with their gaps and `pbc_donors` whose values
mice put into them. mice_pool.json and optimism.json say which packages answered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

FOLDER = Path(__file__).parent / "published"


def published_answers() -> Any:
    """What coxph, cox.zph, survfit and concordance of R 4.2.2, survival 3.5-3, say: cox, time_varying, concordance."""
    return json.loads((FOLDER / "coxph.json").read_text(encoding="utf-8"))


def published(name: str) -> pl.DataFrame:
    return pl.read_csv(FOLDER / f"{name}.csv", infer_schema_length=None)
