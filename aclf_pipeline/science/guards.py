"""What an analysis must not say: guards that look at a stanza and the cohort before anything is estimated.

A guard that blocks leaves no number; its verdict says what is wrong, why it misleads, and what to do. A guard may also
act: a curve ends, a penalty is used, a remedy of the plan is applied; then the verdict says so and does not block.

What does not belong here: estimating, and where verdicts are shown (assets, reports).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from aclf_pipeline.protocol.plan import (
    Analysis,
    Cox,
    CumulativeIncidence,
    FunctionalForm,
    ImmortalTime,
    InfusionTimevarying,
    KaplanMeier,
    Lasso,
    LogRank,
    OfModel,
    RestrictedMean,
    TableOne,
    baseline_names,
    horizons_of,
    root,
)
from aclf_pipeline.protocol.study import Study
from aclf_pipeline.science.analyses.given import DURATION, EVENT, HAPPENED, AnalysisResult, Given
from aclf_pipeline.science.sample_size import df_budget

ALWAYS_KNOWN = ("sex", "age_years", "age_years_at_index", "calendar_year")
MUCH_COMPETING = 0.05
"""Share of patients with a competing event from which one less survival overstates a risk; guard of the plan."""
PENALTY = "Fitted with Firth's penalty"
CHANGES = " changes over time"
_CELLS = (
    r"(the |these |their )?((mesenchymal|stromal|stem|umbilical|cord|cell)[\w-]* |msc )*"
    r"(mscs?|cells?|infusions?|treatment|therapy)"
)
WORDS = re.compile(
    rf"\b(effects?|efficacy|effectiveness|benefits?|impact) of {_CELLS}\b"
    rf"|\b{_CELLS} (improves?d?|reduces?d?|prolongs?|prolonged|increases?d?|decreases?d?|prevents?|prevented|saves?d?|"
    r"works?|protects?|benefits?)\b"
    rf"|\b(due|owing|thanks) to {_CELLS}\b|\b(treatment|therapeutic|causal) effects?\b"
    rf"|\brespon(se|ders?) to {_CELLS}\b",
    re.IGNORECASE,
)
DENIED = re.compile(r"\b(not?|never|neither|nor|without|nothing|cannot)\b", re.IGNORECASE)
FROM_FIRST = re.compile(r"\b(from|since|after) (the )?first (msc |cell )?infusion\b", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """What a guard found: what is so, why it misleads, what to do; `blocks` leaves the analysis without a number."""

    guard: str
    what: str
    why: str
    do: str
    blocks: bool = True

    def __str__(self) -> str:
        return f"{self.what} {self.why} {self.do}"


def before(spec: Analysis, given: Given) -> tuple[Verdict, ...]:
    """Every guard that can judge a stanza by the pages and the cohort alone."""
    return (
        *wording(spec, (spec.says, given.endpoint(spec).says, given.study.title)),
        *immortal_time(spec, given),
        *leakage(spec, given),
        *transplant(spec, given),
        *competing(spec, given),
        *df_within_budget(spec, given),
        *at_risk(spec, given),
    )


def after(spec: Analysis, result: AnalysisResult) -> tuple[Verdict, ...]:
    """What a result tells: a penalty for separation, a ratio that changes over time, words that must not be said."""
    return (*wording(spec, result.remarks), *separation(result), *proportionality(spec, result))


def wording(spec: Analysis, texts: Sequence[str]) -> Iterator[Verdict]:
    """Without untreated patients nothing is said of what the treatment does; a denial of it may stand."""
    for text in texts:
        for sentence in re.split(r"(?<=[.;!?])\s+", text):
            found = WORDS.search(sentence)
            if found and not DENIED.search(sentence[: found.start()]):
                yield Verdict(
                    "wording",
                    f"'{spec.id}' says '{found.group()}'.",
                    "Everybody in the cohort was treated, so no association here is what the treatment did.",
                    "Write of prognosis among treated patients.",
                )


def origins(name: str, study: Study) -> tuple[str, ...]:
    """The columns a covariate is made of: itself, or those of its question."""
    covariate = study.covariates.get(name)
    if covariate is None or covariate.holds is None:
        return (name,)
    return tuple(pl.sql_expr(covariate.holds).meta.root_names())


def measured_late(name: str, study: Study, entry_day: int = 0) -> tuple[str, ...]:
    """The columns behind a covariate that are not known by the day observation begins (0: time zero)."""
    windows = [one.days_after for one in study.baseline.values()]
    known = set(ALWAYS_KNOWN) | {column for column, one in study.baseline.items() if one.days_after <= entry_day}
    # a score is made of baseline variables, so it is known when the last of them is
    known |= set(study.scores) if max(windows, default=0) <= entry_day else set()
    return tuple(column for column in origins(name, study) if column not in known)


def _is_count(column: str) -> bool:
    return "infusion" in column and not column.endswith("_on")


def immortal_time(spec: Analysis, given: Given) -> Iterator[Verdict]:
    """Infusions counted later as a baseline covariate, and survival from a day before which nobody could die."""
    study = given.study
    for what, name in () if isinstance(spec, TableOne) else _names(spec, given):
        counts = [column for column in measured_late(name, study, _entry_day(spec)) if _is_count(column)]
        if counts:
            yield Verdict(
                "immortal_time",
                f"'{spec.id}' has {what} '{name}', which is {counts[0]}: infusions counted after time zero.",
                "Whoever lives longer receives more, so the count predicts survival whatever the infusions do.",
                "Use kind infusion_timevarying, or a landmark of the study page.",
            )
    selected = int(study.parameters["min_infusions"].value) >= 2 if "min_infusions" in study.parameters else False  # type: ignore[arg-type]
    first = FROM_FIRST.search(spec.says)
    if selected and first and not isinstance(spec, ImmortalTime):
        yield _from_first(spec, f"says '{first.group()}'")
    asked = spec.time_zeros if isinstance(spec, ImmortalTime) else ()
    zeros = [name for name in asked if name in study.time_zeros and selected]
    for name in zeros:
        zero = study.time_zeros[name]
        if not zero.primary and zero.enters is None and not zero.waives:
            yield _from_first(spec, f"counts from '{name}' without delayed entry")


def _from_first(spec: Analysis, does: str) -> Verdict:
    return Verdict(
        "immortal_time",
        f"'{spec.id}' {does}, in a cohort that asks for at least two infusions.",
        "Nobody can die between the two, so survival from the first is overstated.",
        "Count from the second infusion, let patients enter at it, or take everybody who started.",
    )


def _entry_day(spec: Analysis) -> int:
    return spec.entry_day if isinstance(spec, KaplanMeier) else 0


def _names(spec: Analysis, given: Given) -> tuple[tuple[str, str], ...]:
    """(word, name) of every covariate of a stanza and of the model it is of."""
    own = baseline_names(spec)
    return (*own, *baseline_names(root(spec, given.plan))) if isinstance(spec, OfModel) else own


def leakage(spec: Analysis, given: Given) -> Iterator[Verdict]:
    """A column known only after time zero, the outcome's own among them, as a baseline covariate."""
    if isinstance(spec, TableOne):
        return
    for what, name in _names(spec, given):
        late = [column for column in measured_late(name, given.study, _entry_day(spec)) if not _is_count(column)]
        if late:
            yield Verdict(
                "leakage",
                f"'{spec.id}' has {what} '{name}', which rests on {', '.join(late)}: not known at time zero.",
                "What is measured later knows something of the outcome, and a model of it predicts the past.",
                "Take a variable whose window ends at time zero, or begin to observe once it is known.",
            )


def transplant(spec: Analysis, given: Given) -> Iterator[Verdict]:
    """A transplant that ends the observation of death must be named as competing."""
    endpoint = given.endpoint(spec)
    if endpoint.event != "death" or "transplant" in endpoint.competing or isinstance(spec, TableOne):
        return
    number = int((given.cohort[EVENT] == "transplant").sum())
    if number:
        yield Verdict(
            "transplant_censored",
            f"'{spec.id}' would censor {number} transplants without a word.",
            "Transplant goes to the sickest who can have one; leaving then is not leaving at random.",
            "Name transplant as competing in the endpoint of the study page, or count it as an event.",
        )


def competing(spec: Analysis, given: Given) -> Iterator[Verdict]:
    """One less survival read as a risk, where a competing event comes first for many; a log-rank test draws it too."""
    endpoint = given.endpoint(spec)
    if not isinstance(spec, KaplanMeier | LogRank | RestrictedMean | ImmortalTime) or not endpoint.competing:
        return
    frame = given.counted(spec).drop_nulls([DURATION, EVENT])
    others = frame.filter(pl.col(EVENT).is_in(list(endpoint.competing))).height
    if frame.height and others / frame.height >= MUCH_COMPETING:
        yield Verdict(
            "competing_risk",
            f"'{spec.id}' would show survival of {endpoint.event} where {others} of {frame.height} patients have"
            f" {' or '.join(endpoint.competing)} first.",
            "One less that survival is not the risk: it is of a world without the competing event.",
            "Use kind cumulative_incidence, or an endpoint that counts both.",
        )


def df_within_budget(spec: Analysis, given: Given) -> Iterator[Verdict]:
    """More coefficients than the cohort bears at the R² expected of the model (Riley 2019, Stat Med 38:1276)."""
    model = root(spec, given.plan)
    if not isinstance(model, Cox) or isinstance(spec, Lasso):
        return
    frame = given.counted(model).drop_nulls([DURATION, EVENT])
    n, events = frame.height, int(frame[HAPPENED].sum())
    named = (spec.covariates if isinstance(spec, InfusionTimevarying) else ()) or model.covariates
    asked = sum(_columns(frame, name) for name in named) + int(isinstance(spec, InfusionTimevarying))
    asked += spec.knots - 2 if isinstance(spec, FunctionalForm) else 0
    borne = df_budget(n, events, model.anticipated_r2).df if 0 < events <= n else 0.0
    if asked > borne:
        yield Verdict(
            "df_budget",
            f"'{spec.id}' asks for {asked} coefficients; {n} patients with {events} events bear {borne:.1f} at the"
            f" expected R² of {model.anticipated_r2:g}.",
            "Its coefficients would be too extreme by more than a tenth, and its performance not seen again.",
            "State fewer covariates, or wait for more patients.",
        )


def _columns(frame: pl.DataFrame, name: str) -> int:
    """Coefficients of a covariate: one, or one less than the levels of a text."""
    column = frame[name]
    return 1 if column.dtype.is_numeric() or column.dtype == pl.Boolean else max(1, column.drop_nulls().n_unique() - 1)


def at_risk(spec: Analysis, given: Given) -> Iterator[Verdict]:
    """A curve of fewer than the stanza's smallest number at risk: none from the start, or one that ends."""
    if not isinstance(spec, KaplanMeier | CumulativeIncidence):
        return
    fewest = spec.fewest_at_risk
    frame = given.counted(spec).drop_nulls([DURATION, EVENT, *([spec.group] if spec.group else [])])
    groups = frame.group_by(spec.group).len() if spec.group else frame.select(pl.len())
    small = groups.filter(pl.col("len") < fewest)
    if not small.is_empty():
        yield Verdict(
            "at_risk",
            f"'{spec.id}' would draw a curve of {small.sort('len').item(0, 'len')} patients; {fewest} are asked for.",
            "One patient more or less would move it by more than its message.",
            "Join groups, or leave the curve out.",
        )
        return
    late = [day for day in horizons_of(spec) if _least_at_risk(frame, spec.group, day) < fewest]
    if late:
        yield Verdict(
            "at_risk",
            f"'{spec.id}' has fewer than {fewest} at risk by day {late[0]}.",
            "The end of a curve rests on few and is read most.",
            "The curve ends where they do; nothing is read beyond.",
            blocks=False,
        )


def _least_at_risk(frame: pl.DataFrame, group: str | None, day: int) -> int:
    """At risk on a day, in the smallest group; an event on the day is still at risk."""
    followed = pl.col(DURATION) >= day
    if group is None:
        return frame.filter(followed).height
    return int(frame.group_by(group).agg(followed.sum().alias("at_risk"))["at_risk"].min() or 0)  # type: ignore[arg-type]


def separation(result: AnalysisResult) -> Iterator[Verdict]:
    """A plain model without a maximum, shown with a penalty instead."""
    if any(remark.startswith(PENALTY) for remark in result.remarks):
        yield Verdict(
            "separation",
            "Covariates separate those with the event from those without.",
            "The plain model has no maximum: its ratio would be as large as the number of steps allows.",
            "Shown with Firth's penalty, and a footnote says so.",
            blocks=False,
        )


def proportionality(spec: Analysis, result: AnalysisResult) -> Iterator[Verdict]:
    """A hazard ratio that changes over time: the stanza's remedy was applied, or there is none and nothing is shown."""
    said = [remark for remark in result.remarks if CHANGES in remark]
    if not isinstance(spec, Cox) or not said:
        return
    yield Verdict(
        "proportional_hazards",
        said[0],
        "One ratio for the whole follow-up is then an average that depends on how long one looks.",
        "The plan's remedy was applied." if spec.remedy else "Say in the stanza which remedy: split or strata.",
        blocks=spec.remedy is None,
    )
