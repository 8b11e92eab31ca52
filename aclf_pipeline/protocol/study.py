"""The stanzas of a study: time zeros, parameters, baseline, eligibility, endpoints, covariates.

What does not belong here: anything two studies share (models.py), the analysis plan (plan.py), and carrying a study
out (SQL and science).
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aclf_pipeline.protocol.models import Frozen, Identifier, Says, Scalar, Stanza, Unit


class Parameter(Stanza):
    """A choice the study's text leaves open, its reason, and the other values the report shows."""

    value: Scalar
    says: Says
    because: Says
    sensitivity: tuple[Scalar, ...] = ()


class Baseline(Stanza):
    """Where a baseline variable comes from: an analyte of labs, or an item of another table, in a window of days.

    The window runs from `days_before` days before time zero to `days_after` days after it. `worst` is the analyte's.
    """

    says: Says
    table: str
    analyte: Identifier | None = None
    item: Identifier | None = None
    days_before: Annotated[int, Field(ge=0)]
    days_after: Annotated[int, Field(ge=0)] = 0
    pick: Literal["nearest", "worst", "last", "first"]

    @model_validator(mode="after")
    def _one_origin(self) -> Baseline:
        if (self.analyte is None) == (self.item is None):
            raise ValueError("must name either an analyte or an item, not both and not neither")
        return self


class TimeZero(Stanza):
    """A day from which time could count: the day in column `at` of the candidates, and `days_after` it for a landmark.

    `enters` is the column of the day on which observation starts, where it is a later one (delayed entry). `waives`
    names criteria that the population of this time zero need not meet. One is primary: the cohort's own.
    """

    says: Says
    because: Says
    at: Identifier
    days_after: Annotated[int, Field(ge=0)] = 0
    enters: Identifier | None = None
    waives: tuple[Identifier, ...] = ()
    primary: bool = False


class Criterion(Stanza):
    """One box of the flow chart. `keep` is a flat boolean over the candidates; what is missing is not kept."""

    id: Identifier
    says: Says
    keep: Says
    because: Says


class Endpoint(Stanza):
    """What is counted, until when, and what can come in between. Without a horizon, until the end of observation."""

    says: Says
    event: Literal["death", "transplant", "death_or_transplant", "death_in_hospital"]
    horizon_days: Annotated[int, Field(ge=1)] | None = None
    competing: tuple[Literal["death", "transplant"], ...] = ()
    primary: bool = False


class Covariate(Stanza):
    """A column of the cohort as tables and models show it; with `holds`, a yes/no question put to its columns.

    `levels` says what each number of a graded column stands for.
    """

    label: Says
    says: Says
    unit: Unit | Says | None = None
    holds: Says | None = None
    levels: Frozen[Says] = Field(default_factory=dict)


class Study(Stanza):
    """One study page. The order of `eligibility` is the order of the flow chart.

    `time_varying` names the baseline variables from labs whose later values the counting process follows.
    `calling_day_share` is how many of the deaths told by telephone may lie on the day of a call.
    """

    id: Identifier
    title: Says
    registry: str | None = None
    source: Identifier
    as_of: date
    time_zero: Says
    time_zeros: Frozen[TimeZero] = Field(default_factory=dict)
    parameters: Frozen[Parameter]
    baseline: Frozen[Baseline]
    eligibility: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    endpoints: Annotated[Frozen[Endpoint], Field(min_length=1)]
    scores: tuple[Identifier, ...] = ()
    time_varying: tuple[Identifier, ...] = ()
    calling_day_share: Annotated[float, Field(ge=0, le=1)] | None = None
    covariates: Frozen[Covariate]

    @property
    def horizons(self) -> tuple[int, ...]:
        """The horizons of the endpoints in days, each once, rising."""
        asked = {endpoint.horizon_days for endpoint in self.endpoints.values() if endpoint.horizon_days is not None}
        return tuple(sorted(asked))

    @property
    def primary_endpoint(self) -> str:
        """The id of the endpoint that was named primary before looking."""
        return next(name for name, endpoint in self.endpoints.items() if endpoint.primary)
