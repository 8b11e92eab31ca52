"""What a study of this kind cannot say, put into words from its own frames.

Every sentence has a cause that can be looked up: a parameter, an endpoint, a count. Nobody has to remember to write
them, and none stands where its cause does not.

What does not belong here: results.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from aclf_pipeline.protocol import Study
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.drawing import variable_label

MUCH_MISSING = 0.40
"""Share above which a variable should not be imputed or carry a main model; convention of the statistical plan."""
FEW_EVENTS = 10.0
"""Events per degree of freedom below which coefficients are unstable (Peduzzi 1995, 10.1016/0895-4356(95)00048-8)."""
ORDINALS = {1: "first", 2: "second", 3: "third"}


def limitations(study: Study, attrition: pl.DataFrame, missingness: pl.DataFrame, analyses: Iterable[Any]) -> list[str]:
    """Sentences in a fixed order: design, time zero, competing events, exclusions, missing values, model sizes."""
    analysed = list(analyses)
    return [
        *_design(study),
        *_competing(study),
        *_exclusions(attrition),
        *_missing(study, missingness),
        *[sentence for one in analysed for sentence in _model_size(one)],
    ]


def _design(study: Study) -> list[str]:
    """No comparison group, and nobody is seen before time zero."""
    infusions = study.parameters.get("min_infusions")
    if infusions is None:
        return [
            "This is an observational cohort: an association with survival is prognostic and is never an effect of a "
            "treatment.",
            "Nobody is observed before time zero, so every survival figure is conditional on having reached it.",
        ]
    which = ORDINALS.get(int(infusions.value), f"{infusions.value}th")  # type: ignore[arg-type]
    return [
        "There is no untreated arm: everybody in the cohort received the cell infusions. An association with "
        "survival is prognostic among the treated; it is never an effect of the mesenchymal stromal cells, nor "
        "evidence that a factor changes their effect.",
        f"Time zero is the {which} infusion: every survival figure is conditional on having survived to it and says "
        f"nothing about patients who died before.",
    ]


def _competing(study: Study) -> list[str]:
    events = sorted({event for endpoint in study.endpoints.values() for event in endpoint.competing})
    return [
        f"{tables.words(event)} is a competing event: it ends the observation and is not the same as leaving alive. "
        f"Cumulative incidence, not the complement of the survival curve, is the risk."
        for event in events
    ]


def _exclusions(attrition: pl.DataFrame) -> list[str]:
    if not attrition.height:
        return []
    entering, left = attrition["entering"].max(), attrition.sort("step")["left"].to_list()[-1]
    return [
        f"{tables.n_percent(left, entering)} of {tables.count(entering)} candidates were analysed; what cannot be "
        f"decided because a value is missing counts as not met."
    ]


def _missing(study: Study, missingness: pl.DataFrame) -> list[str]:
    names = [
        f"{variable_label(study, row['variable'])} ({tables.percent(row['missing'] / row['n'], 0)})"
        for row in missingness.iter_rows(named=True)
        if row["n"] and row["missing"] / row["n"] > MUCH_MISSING
    ]
    if not names:
        return []
    return [f"Missing in more than {tables.threshold(MUCH_MISSING)} of the cohort: {'; '.join(names)}."]


def _model_size(analysed: Any) -> list[str]:
    sizes = [row["estimate"] for row in tables.rows(analysed.results, "key") if row["key"] == "events_per_df"]
    return [
        f"{analysed.spec.says}: {tables.number(size)} events per degree of freedom, below {tables.number(FEW_EVENTS)}; "
        f"its coefficients are unstable."
        for size in sizes
        if tables.known(size) and size < FEW_EVENTS
    ]
