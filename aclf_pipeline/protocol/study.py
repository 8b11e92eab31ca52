"""The stanzas of a study: time zero, parameters, baseline, eligibility, endpoints, covariates, and the analysis plan.

What does not belong here: anything two studies share (models.py), and carrying a study out (SQL and science).
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
    """A column of the cohort as tables and models show it; with `holds`, a yes/no question put to its columns."""

    label: Says
    says: Says
    unit: Unit | Says | None = None
    holds: Says | None = None


class Study(Stanza):
    """One study page. The order of `eligibility` is the order of the flow chart."""

    id: Identifier
    title: Says
    registry: str | None = None
    source: Identifier
    as_of: date
    time_zero: Says
    parameters: Frozen[Parameter]
    baseline: Frozen[Baseline]
    eligibility: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    endpoints: Annotated[Frozen[Endpoint], Field(min_length=1)]
    scores: tuple[Identifier, ...] = ()
    covariates: Frozen[Covariate]

    @property
    def primary_endpoint(self) -> str:
        """The id of the endpoint that was named primary before looking."""
        return next(name for name, endpoint in self.endpoints.items() if endpoint.primary)


class Analysis(Stanza):
    """One model or table of the analysis plan."""

    id: Identifier
    kind: Literal["kaplan_meier", "logrank", "cox", "cumulative_incidence", "table_one"]
    says: Says
    endpoint: Identifier
    group: Identifier | None = None
    covariates: tuple[Identifier, ...] = ()
    strata: tuple[Identifier, ...] = ()
    horizons: tuple[Annotated[int, Field(ge=1)], ...] = ()
    because: Says

    @model_validator(mode="after")
    def _asks_what_its_kind_needs(self) -> Analysis:
        if self.kind == "cox" and not self.covariates:
            raise ValueError("is a Cox model without covariates")
        if self.kind == "logrank" and self.group is None:
            raise ValueError("is a log-rank test without a group")
        return self
