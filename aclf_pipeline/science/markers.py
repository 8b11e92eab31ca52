"""Ratios and indices of routine results: descriptive, none of them a score of liver failure. On numpy arrays.

NaN is missing; a value that is not positive is no measurement. Counts are absolute, in one unit, from one specimen.

Not here: scores with weights (`scores`, `aclf_scores`) and choosing the specimen (SQL).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aclf_pipeline.science.scores import measured

Floats = NDArray[np.float64]


def plr(platelets: ArrayLike, lymphocytes: ArrayLike) -> Floats:
    """Platelet-to-lymphocyte ratio of absolute counts. Missing in, missing out."""
    return measured(platelets) / measured(lymphocytes)


def mlr(monocytes: ArrayLike, lymphocytes: ArrayLike) -> Floats:
    """Monocyte-to-lymphocyte ratio of absolute counts. Missing in, missing out."""
    return measured(monocytes) / measured(lymphocytes)


def fib4(age_years: ArrayLike, ast: ArrayLike, alt: ArrayLike, platelets: ArrayLike) -> Floats:
    """FIB-4: age·AST / (platelets·√ALT); AST and ALT in U/L, platelets in 10⁹/L. Missing in, missing out.

    A flare raises AST and ALT tenfold: here it describes a patient and says nothing of fibrosis.
    Source: cran/cliot 74e469a, R/neelpackage.R.
    """
    return measured(age_years) * measured(ast) / (measured(platelets) * np.sqrt(measured(alt)))


def apri(ast: ArrayLike, platelets: ArrayLike, upper_limit: float = 40.0) -> Floats:
    """APRI: 100·(AST / upper limit of normal) / platelets; AST in U/L, platelets in 10⁹/L. Missing in, missing out.

    As `fib4`, descriptive only. One public implementation divides by 100·platelets, ten thousand times too little.
    Source: johnasher/transplantr 9662038, R/liver.R.
    """
    return 100.0 * (measured(ast) / upper_limit) / measured(platelets)


def de_ritis(ast: ArrayLike, alt: ArrayLike) -> Floats:
    """AST divided by ALT, both in U/L. Missing in, missing out."""
    return measured(ast) / measured(alt)


def direct_share(bilirubin_direct: ArrayLike, bilirubin_total: ArrayLike) -> Floats:
    """Direct over total bilirubin in one unit; 0.65–0.79 is usual (PMC7809456, table 1). Missing in, missing out."""
    return measured(bilirubin_direct) / measured(bilirubin_total)
