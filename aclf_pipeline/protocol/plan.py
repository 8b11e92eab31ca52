"""The analysis plan: one typed stanza per kind of analysis, told apart by `kind`.

A stanza may refer to another by `of`: diagnostics, validation and sensitivity are of a model that was stated first.
Endpoints, covariates and groups are names of the study page; that they exist is checked here, across stanzas.

What does not belong here: carrying a stanza out (science), and guarding it (science.guards).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, cast

from pydantic import Field, TypeAdapter

from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.models import Identifier, Says, Stanza
from aclf_pipeline.protocol.study import Study

Day = Annotated[int, Field(ge=1)]
Days = tuple[Day, ...]
Names = tuple[Identifier, ...]
Share = Annotated[float, Field(gt=0, lt=1)]


class Analysis(Stanza):
    """What every stanza of the plan says: its id, its kind, what it shows, and why."""

    reads: ClassVar[tuple[str, ...]] = ()
    """Tables of the marts it reads beside the cohort."""

    id: Identifier
    kind: str
    says: Says
    because: Says


class OnEndpoint(Analysis):
    """An analysis of one endpoint of the study page."""

    endpoint: Identifier


class OfModel(Analysis):
    """An analysis of a Cox model that the plan states."""

    of: Identifier


class TableOne(OnEndpoint):
    """Characteristics of the cohort, by outcome or by a group."""

    kind: Literal["table_one"]
    covariates: Annotated[Names, Field(min_length=1)]
    group: Identifier | None = None


class KaplanMeier(OnEndpoint):
    """Survival curves. Below `fewest_at_risk` a curve is not drawn and not read. Observation begins on `entry_day`
    after time zero: later than 0 where the group is known only then.
    """

    kind: Literal["kaplan_meier"]
    entry_day: Annotated[int, Field(ge=0)] = 0
    group: Identifier | None = None
    horizons: Days = ()
    fewest_at_risk: Annotated[int, Field(ge=1)] = 10


class LogRank(OnEndpoint):
    """A test of equal hazards."""

    kind: Literal["logrank"]
    group: Identifier


class CumulativeIncidence(OnEndpoint):
    """The probability of each event in the presence of the others."""

    kind: Literal["cumulative_incidence"]
    group: Identifier | None = None
    horizons: Days = ()
    fewest_at_risk: Annotated[int, Field(ge=1)] = 10


class Cox(OnEndpoint):
    """A model of the hazard. `anticipated_r2` (Nagelkerke) is what the model was expected to explain, before looking:
    it decides how many degrees of freedom the cohort can bear. `remedy` says what is done about a covariate whose
    hazard ratio changes over time: a ratio for each period cut at `split_at`, or a baseline hazard for each value.
    """

    kind: Literal["cox"]
    covariates: Annotated[Names, Field(min_length=1)]
    strata: Names = ()
    anticipated_r2: Share = 0.15
    remedy: Literal["split", "strata"] | None = None
    split_at: Days = ()


class FollowUp(OnEndpoint):
    """How long the cohort was followed: median by reverse Kaplan–Meier, and how complete at each horizon."""

    kind: Literal["follow_up"]
    horizons: Annotated[Days, Field(min_length=1)]


class RestrictedMean(OnEndpoint):
    """The mean time lived within each horizon, and its contrast between two groups."""

    kind: Literal["rmst"]
    group: Identifier | None = None
    horizons: Annotated[Days, Field(min_length=1)]


class Univariable(OfModel):
    """Each covariate alone beside all in one model. For display: it selects nothing."""

    kind: Literal["univariable"]


class PhDiagnostics(OfModel):
    """Is a hazard ratio constant? The test on each time scale, and the ratio in each period."""

    kind: Literal["ph_diagnostics"]
    transforms: tuple[Literal["km", "rank", "identity", "log"], ...] = ("km", "identity")
    split_at: Annotated[Days, Field(min_length=1)]


class Influence(OfModel):
    """Who moves a coefficient: those by whom one changes more than `beyond` of its standard error, and the model
    without them.
    """

    kind: Literal["influence"]
    beyond: Annotated[float, Field(gt=0)] = 0.2
    top: Annotated[int, Field(ge=1)] = 10


class FunctionalForm(OfModel):
    """Is a covariate's effect a straight line? Restricted cubic splines with knots stated here."""

    kind: Literal["functional_form"]
    covariates: Annotated[Names, Field(min_length=1)]
    knots: Annotated[int, Field(ge=3, le=7)] = 4


class Competing(OfModel):
    """The model's covariates for every competing event: cause-specific and subdistribution hazards, and Gray's test of
    `groups`.
    """

    kind: Literal["competing"]
    groups: Names = ()


class ImmortalTime(OnEndpoint):
    """Survival from each candidate time zero side by side, so that a reader sees what the choice does."""

    reads = ("time_zeros",)
    kind: Literal["immortal_time"]
    horizons: Annotated[Days, Field(min_length=1)]
    time_zeros: Annotated[Names, Field(min_length=1)]


class InfusionTimevarying(OfModel):
    """Infusions received so far as a covariate that changes with time, beside `covariates`, or all of the model's."""

    reads = ("time_zeros", "intervals")
    kind: Literal["infusion_timevarying"]
    covariates: Names = ()


class Performance(OfModel):
    """How good the model's risks are, and those of scores on the same rows, at horizons with enough cases."""

    kind: Literal["performance"]
    horizons: Annotated[Days, Field(min_length=1)]
    comparators: Names = ()
    thresholds: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.1, 0.2, 0.3, 0.4, 0.5)
    fewest: Annotated[int, Field(ge=1)] = 30


class Prediction(OfModel):
    """The equation of the model and the baseline at each horizon, so that anybody can compute a risk."""

    kind: Literal["prediction"]
    horizons: Annotated[Days, Field(min_length=1)]


class Validation(OfModel):
    """Optimism by the bootstrap: how much of the model's performance will not be seen again."""

    kind: Literal["validation"]
    horizons: Annotated[Days, Field(min_length=1)]
    resamples: Annotated[int, Field(ge=1)]
    seed: int


class Imputations(OfModel):
    """The model on several completions of the missing values, pooled."""

    kind: Literal["imputations"]
    sets: Annotated[int, Field(ge=2)]
    rounds: Annotated[int, Field(ge=1)] = 10
    auxiliary: Names = ()
    seed: int


class Firth(OfModel):
    """The model with Firth's penalty, which has a maximum even under separation."""

    kind: Literal["firth"]


class Lasso(OfModel):
    """The candidates under an L1 penalty: what it keeps, and how often in resamples. No source of p-values."""

    kind: Literal["lasso"]
    candidates: Annotated[Names, Field(min_length=2)]
    folds: Annotated[int, Field(ge=3)] = 10
    resamples: Annotated[int, Field(ge=1)]
    seed: int


class Subgroups(OfModel):
    """Does the hazard ratio of `exposure` differ between the levels of `groups`? Tests of interaction only."""

    kind: Literal["subgroups"]
    exposure: Identifier
    groups: Annotated[Names, Field(min_length=1)]
    fewest_events: Annotated[int, Field(ge=1)] = 10


class Sensitivity(OfModel):
    """The model under other choices, one row each, all with the same columns."""

    reads = ("time_zeros", "cohort_provenance")
    kind: Literal["sensitivity"]
    exposures: Names = ()
    era_from: Annotated[int, Field(ge=1900)] | None = None


AnyAnalysis: TypeAlias = Annotated[
    TableOne | KaplanMeier | LogRank | CumulativeIncidence | Cox | FollowUp | RestrictedMean | Univariable
    | PhDiagnostics | Influence | FunctionalForm | Competing | ImmortalTime | InfusionTimevarying | Performance
    | Prediction | Validation | Imputations | Firth | Lasso | Subgroups | Sensitivity,
    Field(discriminator="kind"),
]  # fmt: skip
_ANY: TypeAdapter[Analysis] = TypeAdapter(AnyAnalysis)
KINDS: Mapping[str, type[Analysis]] = {
    str(kind.model_fields["kind"].annotation.__args__[0]): kind  # type: ignore[union-attr]
    for kind in (
        TableOne, KaplanMeier, LogRank, CumulativeIncidence, Cox, FollowUp, RestrictedMean, Univariable, PhDiagnostics,
        Influence, FunctionalForm, Competing, ImmortalTime, InfusionTimevarying, Performance, Prediction, Validation,
        Imputations, Firth, Lasso, Subgroups, Sensitivity,
    )
}  # fmt: skip
"""Every kind of stanza by its word."""


def stanza(body: Mapping[str, Any]) -> Analysis:
    """One stanza of the plan from plain data; raises pydantic's ValidationError."""
    return _ANY.validate_python(body)


def group_of(spec: Analysis) -> str | None:
    """The grouping covariate of a stanza, if its kind has one and it names one."""
    return getattr(spec, "group", None)


def horizons_of(spec: Analysis) -> Days:
    """The horizons of a stanza, days; none where its kind has none."""
    return getattr(spec, "horizons", ())


def root(spec: Analysis, plan: Sequence[Analysis]) -> OnEndpoint:
    """The stanza with an endpoint that a stanza is, or is of."""
    if isinstance(spec, OfModel):
        return next(other for other in plan if other.id == spec.of and isinstance(other, OnEndpoint))
    return cast(OnEndpoint, spec)


def baseline_names(spec: Analysis) -> tuple[tuple[str, str], ...]:
    """(word, name) of every covariate, group, stratum, comparator and exposure a stanza names."""
    found = [("group", name) for name in (group_of(spec),) if name is not None]
    for word, what in _LISTS.items():
        found += [(what, name) for name in getattr(spec, word, ())]
    if isinstance(spec, Subgroups):
        found.append(("exposure", spec.exposure))
    return tuple(found)


_LISTS = {
    "covariates": "covariate", "strata": "stratum", "groups": "group", "candidates": "candidate",
    "comparators": "comparator", "auxiliary": "covariate", "exposures": "exposure",
}  # fmt: skip


def plan_problems(page: str, plan: Sequence[Analysis], study: Study) -> Iterator[str]:
    """What a plan names and nobody has: endpoints, covariates, time zeros, and stanzas it refers to."""
    models = [stanza.id for stanza in plan if isinstance(stanza, Cox)]
    near: Callable[[str, Any], str] = did_you_mean
    for spec in plan:
        where = f"{page}: '{spec.id}' names"
        asked: list[tuple[str, str, Mapping[str, Any]]] = [
            (what, name, study.covariates) for what, name in baseline_names(spec)
        ]
        if isinstance(spec, OnEndpoint):
            asked.insert(0, ("endpoint", spec.endpoint, study.endpoints))
        if isinstance(spec, ImmortalTime):
            asked += [("time zero", name, study.time_zeros) for name in spec.time_zeros]
        for what, name, known in asked:
            if name not in known:
                yield f"{where} {what} '{name}', which study.yaml does not have.{near(name, known)}"
        if isinstance(spec, OfModel) and spec.of not in models:
            yield f"{where} the model '{spec.of}', which is no Cox model of this page.{near(spec.of, models)}"
