"""How the tables of each kind of analysis are laid out: captions, columns, and how each cell is written.

One declaration per table: a kind more is a few lines more. Kinds whose rows become columns, and curves, are in
analysis_tables.

What does not belong here: figures, estimating, and HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aclf_pipeline.protocol import Study
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.drawing import group_labels, term_labels, variable_label

Row = Mapping[str, Any]
Write = Callable[[Study, Row], str]


@dataclass(frozen=True)
class Cell:
    """A column: its head, its class on the page, and how a row is written in it."""

    head: str
    css: str
    write: Write


@dataclass(frozen=True)
class Shape:
    """A table: which part of the analysis it shows ('' the tidy table itself), its caption, its columns."""

    part: str
    caption: str
    cells: tuple[Cell, ...]


def term(column: str = "term", head: str = "Factor") -> Cell:
    """A term of a model by the name a reader knows."""
    return Cell(head, "", lambda study, row: term_labels(study, [str(row[column])])[str(row[column])])


def variable(column: str, head: str) -> Cell:
    """A covariate by its label and unit."""
    return Cell(head, "", lambda study, row: variable_label(study, str(row[column])))


def words(column: str, head: str) -> Cell:
    """A name as words."""
    return Cell(head, "", lambda _, row: tables.MISSING if row[column] is None else tables.words(row[column]))


def text(column: str, head: str, css: str = "") -> Cell:
    """Text as it is."""
    return Cell(head, css, lambda _, row: tables.plain(row[column]))


def ratio(head: str = "HR (CI)", suffix: str = "") -> Cell:
    """A ratio with its interval."""
    names = [f"{name}{suffix}" for name in ("hr", "lower", "upper")]
    return Cell(head, "num", lambda _, row: tables.ratio_interval(*(row[name] for name in names)))


def p(column: str = "p", head: str = "p") -> Cell:
    """A p-value."""
    return Cell(head, "num", lambda _, row: tables.p_value(row[column]))


def number(column: str, head: str) -> Cell:
    """A number to three digits."""
    return Cell(head, "num", lambda _, row: tables.number(row[column]))


def share(column: str, head: str) -> Cell:
    """A share as a percentage."""
    return Cell(head, "num", lambda _, row: tables.percent(row[column]))


def estimate(column: str, head: str, lower: str, upper: str) -> Cell:
    """An estimate with limits in brackets."""

    def write(_: Study, row: Row) -> str:
        if not tables.known(row[column]):
            return tables.MISSING
        limits = f" ({tables.number(row[lower])}–{tables.number(row[upper])})" if tables.known(row[lower]) else ""
        return tables.number(row[column]) + limits

    return Cell(head, "num", write)


def share_interval(column: str, head: str) -> Cell:
    """A share with its limits, as percentages."""
    return Cell(head, "num", lambda _, row: tables.share_interval(row[column], row["lower"], row["upper"]))


def level(column: str, of: str, head: str) -> Cell:
    """A level of a group, 'Cirrhosis: yes'; 'All' where there is none."""

    def write(study: Study, row: Row) -> str:
        value, group = str(row[column]), str(row[of])
        return "All" if value == "all" else group_labels(study, group, [value]).get(value, value)

    return Cell(head, "", write)


_SCALES = {"km": "1 − Kaplan–Meier", "identity": "days", "log": "log of days", "rank": "rank"}
_MEASURES = {"c": "C (Harrell)", "slope": "Calibration slope", "brier": "Brier score", "ipa": "IPA"}
N, EVENTS = text("n", "N", "num"), text("events", "Events", "num")
REASON = text("reason", "Why not", "wide")
RATIOS = (term(), ratio(), p(), N, EVENTS)

SHAPES: Mapping[str, tuple[Shape, ...]] = {
    "follow_up": (
        Shape("", "Of how many the outcome at each horizon is known",
              (text("horizon", "Day", "num"), text("n", "N", "num"), text("known", "Known", "num"),
               share("share", "Share"))),
    ),
    "univariable": (
        Shape("", "Hazard ratios, each factor alone and all in one model",
              (term(), ratio("Alone: HR (CI)"), p(head="p alone"), ratio("All: HR (CI)", "_all"), p("p_all", "p all"),
               N, EVENTS)),
    ),
    "firth": (Shape("", "Hazard ratios with Firth's penalty, profile intervals", RATIOS),),
    "imputations": (
        Shape("", "Hazard ratios, pooled over the imputations",
              (*RATIOS, share("fmi", "Missing information"))),
        Shape("missing", "What was missing and how it was imputed",
              (variable("column", "Variable"), text("n_missing", "Missing", "num"), text("n", "Of", "num"),
               share("share", "Share"), text("method", "Method"))),
        Shape("mixing", "Potential scale reduction of the chains; near 1 where they mix",
              (variable("column", "Variable"), number("mean", "Mean"), number("sd", "SD"))),
    ),
    "ph_diagnostics": (
        Shape("", "Tests of a constant hazard ratio",
              (Cell("Time as", "", lambda _, row: _SCALES[row["transform"]]), term(),
               number("statistic", "Chi-square"), text("df", "df", "num"), p(),
               N, EVENTS)),
        Shape("periods", "Hazard ratios in each period", RATIOS),
    ),
    "influence": (
        Shape("", "Who moves a coefficient most, in standard errors",
              (text("rank", "Rank", "num"), text("candidate_id", "Patient", "name"), term(),
               number("dfbetas", "Change, SE"), number("martingale", "Martingale residual"),
               text("event_days", "Days", "num"), text("happened", "Event"))),
        Shape("without", "The model without those beyond the limit",
              (term(), ratio(), p(), number("hr_with", "HR with them"), N, EVENTS)),
    ),
    "functional_form": (
        Shape("", "Tests of association and of nonlinearity",
              (variable("covariate", "Factor"), number("statistic", "Chi-square"), text("df", "df", "num"), p(),
               number("nonlinear", "Nonlinear"), text("df_nonlinear", "df nonlinear", "num"),
               p("p_nonlinear", "p nonlinear"), REASON)),
    ),
    "competing": (
        Shape("", "Cause-specific and subdistribution hazard ratios",
              (words("state", "Event"), words("model", "Model"), *RATIOS)),
        Shape("gray", "Gray's test of cumulative incidence",
              (variable("group", "Groups by"), words("state", "Event"), number("statistic", "Chi-square"),
               text("df", "df", "num"), p(), N, EVENTS)),
    ),
    "infusion_timevarying": (
        Shape("", "Hazard ratios, infusions so far changing with time", RATIOS),
        Shape("landmarks", "Hazard ratios from each landmark, infusions counted up to it",
              (words("time_zero", "Landmark"), *RATIOS)),
    ),
    "prediction": (
        Shape("", "The equation", (term(), number("coefficient", "Coefficient"), number("centre", "Counted from"),
                                   N, EVENTS)),
        Shape("baseline", "At the values counted from",
              (text("horizon", "Day", "num"), share("survival", "S₀"), share("risk", "Risk"))),
    ),
    "validation": (
        Shape("", "Apparent and optimism-corrected performance",
              (Cell("Measure", "", lambda _, row: _MEASURES.get(row["measure"], tables.words(row["measure"]))),
               text("horizon", "Day", "num"), number("apparent", "Apparent"), number("optimism", "Optimism"),
               estimate("corrected", "Corrected (CI)", "lower", "upper"), text("n", "Resamples", "num"),
               text("failed", "Failed", "num"), REASON)),
    ),
    "performance": (
        Shape("", "Discrimination, accuracy and calibration on the same patients",
              (text("horizon", "Day", "num"), variable("predictor", "Risk by"),
               estimate("auc", "AUC (CI)", "auc_lower", "auc_upper"), number("brier", "Brier"), share("ipa", "IPA"),
               estimate("oe", "O/E (CI)", "oe_lower", "oe_upper"), number("slope", "Slope"), number("ici", "ICI"),
               number("e50", "E50"), number("e90", "E90"), text("cases", "Cases", "num"),
               text("controls", "Controls", "num"), N)),
    ),
    "lasso": (
        Shape("", "What the penalty keeps, and how often resamples do",
              (term(), number("hr", "HR"), share("selected", "Kept"), share("positive", "HR above 1"),
               text("planned", "In the plan's model"), N, EVENTS)),
    ),
    "subgroups": (
        Shape("", "Hazard ratio in each subgroup, and the test of interaction",
              (level("level", "subgroup", "Subgroup"), ratio(), N, EVENTS, p("p_interaction", "p interaction"),
               p("p_holm", "p, Holm"), REASON)),
    ),
    "rmst": (
        Shape("", "Mean days lived within each horizon",
              (level("group", "of", "Group"), text("horizon", "Horizon", "num"),
               estimate("mean", "Mean days (CI)", "lower", "upper"), text("at_risk", "At risk", "num"), N, EVENTS,
               REASON)),
    ),
}  # fmt: skip
"""Every kind whose tables are rows as they are."""
