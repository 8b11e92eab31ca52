"""Multiple imputation by chained equations: a frame with gaps in, completed frames out.

Each incomplete column in turn is modelled on the others and on the outcome, and its gaps are drawn anew: predictive
mean matching with type-1 matching (van Buuren 2018, Flexible Imputation of Missing Data, 2nd ed., algorithm 3.3; Little
1988, J Bus Econ Stat 6:287) or, for yes/no, logistic regression (imputation_models). The outcome enters as event
indicator and Nelson–Aalen cumulative hazard, per cause (White & Royston 2009, Stat Med 28:1982; Bartlett & Taylor 2016,
Biostatistics 17:751). Nothing is imputed that was not asked for, and what is known is never changed.

Regressions and draws (imputation_models), and pooling of analyses (pooling) do not belong here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from aclf_pipeline.science.imputation_columns import Coded, code_column, dummies, standard_deviation
from aclf_pipeline.science.imputation_models import draw_logistic, draw_matched
from aclf_pipeline.science.outcomes import CENSORED, Outcomes, at_risk, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem, require_columns
from aclf_pipeline.science.risk_sets import Floats

WHAT = "imputation"
MOST_MISSING = 0.4
DONORS = 5
CYCLES = 10
METHODS = ("pmm", "logistic")
SCALES = ("identity", "log")


@dataclass(frozen=True)
class Target:
    """A column to complete: by 'pmm' or 'logistic' (None: logistic for yes/no, else pmm), modelled as is or by 'log'.

    The scale is that of the column in every model, its own and those it predicts; donors give their own value.
    """

    column: str
    method: str | None = None
    scale: str = "identity"


@dataclass(frozen=True)
class Recipe:
    """What is imputed, from what.

    targets: columns to complete. predictors: further columns, without gaps, numbers, yes/no or text. duration, event
    (yes/no, or 0 censored, 1, 2, …), entry: the outcome, without gaps. passive: columns made of others, as
    {"he_any": pl.col("he_grade") > 0}: made anew whenever what they are made of was drawn, where the frame does not
    know them; they predict every target but those they are made of. accept: targets that may miss more than
    `most_missing` of their values.
    """

    targets: Sequence[Target]
    duration: str
    event: str
    predictors: Sequence[str] = ()
    passive: Mapping[str, pl.Expr] = field(default_factory=dict)
    entry: str | None = None
    donors: int = DONORS
    cycles: int = CYCLES
    most_missing: float = MOST_MISSING
    accept: Collection[str] = ()


@dataclass(frozen=True)
class Imputations:
    """Completed frames, and how they came about.

    chains: imputation, cycle, column, mean, sd of the values drawn, on the scale of the model. missing: one row per
    target, column, n, n_missing, share, method, scale, predictors.
    """

    frames: list[pl.DataFrame]
    chains: pl.DataFrame
    missing: pl.DataFrame
    seed: int


def impute(frame: pl.DataFrame, recipe: Recipe, *, m: int = 20, seed: int) -> Imputations:
    """Complete the targets of a recipe m times.

    One row per person. The same frame, recipe and seed give the same values, and the first k of m imputations are those
    of m = k. Types are kept. Raises StatisticalProblem, all at once: columns that are not there or of no known type,
    predictors or an outcome with gaps, targets with more than 40 % missing that are not accepted, with too few known
    values, or without variation.
    """
    chain = _Chain.of(frame, recipe)
    frames, told = [], []
    for number in range(1, m + 1):
        completed, rows = chain.run(np.random.default_rng([seed, number]))
        frames.append(completed)
        told += [(number, *row) for row in rows]
    types = {"imputation": pl.Int64, "cycle": pl.Int64, "column": pl.String, "mean": pl.Float64, "sd": pl.Float64}
    return Imputations(frames, pl.DataFrame(told, schema=types, orient="row"), chain.summary(), seed)


def convergence(chains: pl.DataFrame) -> pl.DataFrame:
    """Return per column the potential scale reduction of the chains' means and sds over the latter half of the cycles.

    Near 1 where chains mix (Gelman & Rubin 1992, Stat Sci 7:457); null with one chain, fewer than four cycles, or
    chains that never move. chains: as in Imputations.
    """
    rows = []
    for column in chains["column"].unique(maintain_order=True):
        part = chains.filter(pl.col("column") == column).sort("imputation", "cycle")
        rows.append((column, *(_scale_reduction(part, what) for what in ("mean", "sd"))))
    return pl.DataFrame(rows, schema={"column": pl.String, "mean": pl.Float64, "sd": pl.Float64}, orient="row")


def nelson_aalen(data: Outcomes, cause: int) -> Floats:
    """Return the Nelson–Aalen cumulative hazard of a cause each row was exposed to (n): from its entry to its time."""
    times, counts = np.unique(data.time[data.happened(cause)], return_counts=True)
    steps = np.concatenate([[0.0], np.cumsum(counts / at_risk(data, times))])
    at, before = (np.searchsorted(times, when, side="right") for when in (data.time, data.entry))
    return np.asarray(steps[at] - steps[before])


def _scale_reduction(part: pl.DataFrame, what: str) -> float | None:
    values = part[what].to_numpy().reshape(part["imputation"].n_unique(), -1)
    values = values[:, values.shape[1] // 2 :]
    chains, cycles = values.shape
    if chains < 2 or cycles < 2:
        return None
    within = values.var(axis=1, ddof=1).mean()
    between = values.mean(axis=1).var(ddof=1)
    return float(np.sqrt((cycles - 1) / cycles + between / within)) if within > 0 else None


@dataclass(frozen=True)
class _Chain:
    """A recipe applied to a frame: columns as numbers, and which predict which."""

    frame: pl.DataFrame
    recipe: Recipe
    targets: dict[str, Coded]
    methods: dict[str, str]
    fixed: Floats
    made_of: dict[str, frozenset[str]]

    @classmethod
    def of(cls, frame: pl.DataFrame, recipe: Recipe) -> _Chain:
        """Hold a frame to a recipe; raises StatisticalProblem, every problem at once."""
        asked = [target.column for target in recipe.targets]
        made_of = {name: frozenset(expr.meta.root_names()) for name, expr in recipe.passive.items()}
        sources = sorted(set().union(*made_of.values())) if made_of else []
        require_columns(
            frame, (*asked, *recipe.predictors, recipe.duration, recipe.event, recipe.entry, *sources), WHAT
        )
        _check_recipe(recipe, made_of)
        floats = [name for name, dtype in frame.schema.items() if dtype.is_float() and name in asked]
        known = frame.with_columns(pl.col(floats).fill_nan(None))
        targets, problems = {}, []
        for target in recipe.targets:
            coded, told = code_column(known[target.column], logged=target.scale == "log")
            problems += told
            if coded is not None:
                targets[target.column] = coded
                problems += _why_not(target, coded, recipe)
        fixed = [_outcome(known, recipe, problems)]
        for name in recipe.predictors:
            columns, told = dummies(known[name])
            problems += told
            fixed.append(columns)
        if problems:
            raise StatisticalProblem(f"{WHAT}: " + "; ".join(problems))
        methods = {t.column: t.method or ("logistic" if targets[t.column].binary else "pmm") for t in recipe.targets}
        order = dict(sorted(targets.items(), key=lambda item: int(item[1].gaps.sum())))
        chain = cls(known, recipe, order, methods, np.hstack(fixed), made_of)
        chain.check_known()
        return chain

    def check_known(self) -> None:
        """Refuse targets that have fewer known values than predictors."""
        wide = self.fixed.shape[1] + len(self.targets) + len(self.made_of)
        few = [
            f"'{name}' has {known} known values for {wide} predictors"
            for name, coded in self.targets.items()
            if coded.gaps.any() and (known := int((~coded.gaps).sum())) <= wide
        ]
        if few:
            raise StatisticalProblem(f"{WHAT}: " + "; ".join(few))

    def run(self, rng: np.random.Generator) -> tuple[pl.DataFrame, list[tuple[int, str, float, float]]]:
        """Run one chain from random known values; return the completed frame and the mean and sd of each cycle."""
        values = {name: coded.start(rng) for name, coded in self.targets.items()}
        passive = self._passive(values, list(self.made_of))
        told = []
        for cycle in range(1, self.recipe.cycles + 1):
            for name, coded in self.targets.items():
                if not coded.gaps.any():
                    continue
                self._draw(name, coded, values, passive, rng)
                passive |= self._passive(values, [p for p, sources in self.made_of.items() if name in sources])
                drawn = values[name][coded.gaps]
                told.append((cycle, name, float(drawn.mean()), standard_deviation(drawn)))
        return self._completed(values), told

    def _draw(
        self, name: str, coded: Coded, values: dict[str, Floats], passive: dict[str, Floats], rng: np.random.Generator
    ) -> None:
        """Fill the gaps of one column, given all others as they stand."""
        others = [value for other, value in values.items() if other != name]
        others += [value for other, value in passive.items() if name not in self.made_of[other]]
        design = np.column_stack([self.fixed, *others])
        known = ~coded.gaps
        y, x, wanted = values[name][known], design[known], design[coded.gaps]
        if self.methods[name] == "logistic":
            values[name][coded.gaps] = draw_logistic(y, x, wanted, rng)
        else:
            values[name][coded.gaps] = draw_matched(y, x, wanted, rng, donors=self.recipe.donors)

    def _completed(self, values: dict[str, Floats]) -> pl.DataFrame:
        """Put what was drawn into the gaps, and make the passive columns where they are not known."""
        filled = self.frame.with_columns(self._column(name, values[name]) for name in self.targets)
        for name, expression in self.recipe.passive.items():
            made = filled.select(expression.alias(name)).to_series()
            if name in filled.columns:
                made = filled[name].fill_null(made.cast(filled.schema[name]))
            filled = filled.with_columns(made)
        return filled

    def _column(self, name: str, values: Floats) -> pl.Series:
        """The column in its own type: known values as they were, drawn ones in the gaps."""
        coded = self.targets[name]
        return self.frame[name].fill_null(coded.decoded(values)) if coded.gaps.any() else self.frame[name]

    def _passive(self, values: dict[str, Floats], names: list[str]) -> dict[str, Floats]:
        """Return passive columns as numbers (n each), made of the targets as they stand."""
        if not names:
            return {}
        sources = set().union(*(self.made_of[name] for name in names))
        drawn = self.frame.select(sorted(sources)).with_columns(
            self._column(name, values[name]) for name in self.targets if name in sources
        )
        found = drawn.select(self.recipe.passive[name].cast(pl.Float64).alias(name) for name in names)
        for name in names:
            if found[name].null_count():
                raise StatisticalProblem(f"{WHAT}: '{name}' is still missing in {found[name].null_count()} rows")
        return {name: found[name].to_numpy() for name in names}

    def summary(self) -> pl.DataFrame:
        """Say of each target how much is missing and how it is drawn."""
        passive = {
            name: [other for other, sources in self.made_of.items() if name not in sources] for name in self.targets
        }
        rows = [
            (
                target.column,
                self.frame.height,
                gaps := int(self.targets[target.column].gaps.sum()),
                gaps / self.frame.height,
                self.methods[target.column],
                target.scale,
                [n for n in (*self.recipe.predictors, *self.targets, *passive[target.column]) if n != target.column],
            )
            for target in self.recipe.targets
        ]
        types = {"column": pl.String, "n": pl.Int64, "n_missing": pl.Int64, "share": pl.Float64}
        types |= {"method": pl.String, "scale": pl.String}
        return pl.DataFrame(rows, schema={**types, "predictors": pl.List(pl.String)}, orient="row")


def _check_recipe(recipe: Recipe, made_of: dict[str, frozenset[str]]) -> None:
    """Refuse a recipe that contradicts itself."""
    asked = [target.column for target in recipe.targets]
    roles = [*asked, *recipe.predictors, *made_of, recipe.duration, recipe.event]
    problems = [f"'{name}' is named in two roles" for name in sorted({n for n in roles if roles.count(n) > 1})]
    for target in recipe.targets:
        if target.method not in (None, *METHODS):
            problems.append(f"'{target.column}' asks for '{target.method}'; methods are {', '.join(METHODS)}")
        if target.scale not in SCALES:
            problems.append(f"'{target.column}' asks for scale '{target.scale}'; scales are {', '.join(SCALES)}")
    if not asked:
        problems.append("no column is to be completed")
    if recipe.donors < 1 or recipe.cycles < 1:
        problems.append(f"{recipe.donors} donors and {recipe.cycles} cycles; at least one of each is needed")
    if problems:
        raise StatisticalProblem(f"{WHAT}: " + "; ".join(problems))


def _why_not(target: Target, coded: Coded, recipe: Recipe) -> list[str]:
    """Say why a column cannot be completed, if so."""
    missing, n = int(coded.gaps.sum()), len(coded.gaps)
    known = coded.values[~coded.gaps]
    if missing and (not len(known) or known.min() == known.max()):
        return [f"'{target.column}' has {len(known)} known values, all of them the same"]
    if missing > recipe.most_missing * n and target.column not in recipe.accept:
        return [
            f"'{target.column}' is missing in {missing} of {n} rows ({missing / n:.0%}), more than "
            f"{recipe.most_missing:.0%}: what is imputed would rest on the model more than on people; leave the column "
            "out, or accept it by name"
        ]
    if target.method == "logistic" and not coded.binary:
        return [f"'{target.column}' has more than two values; logistic regression is for two"]
    return []


def _outcome(frame: pl.DataFrame, recipe: Recipe, problems: list[str]) -> Floats:
    """Return event indicators and cumulative hazards, two columns per cause (n × 2k)."""
    names = [name for name in (recipe.duration, recipe.event, recipe.entry) if name is not None]
    lacking = [f"'{name}' is missing in {count} rows" for name in names if (count := frame[name].null_count())]
    if lacking:
        problems += [f"{told}; an outcome is not imputed" for told in lacking]
        return np.zeros((frame.height, 0))
    entry = None if recipe.entry is None else frame[recipe.entry].to_numpy()
    data = read_outcomes(WHAT, frame[recipe.duration].to_numpy(), frame[recipe.event].to_numpy(), entry=entry)
    causes = sorted(set(data.code.tolist()) - {CENSORED})
    columns = [part for cause in causes for part in (data.happened(cause).astype(float), nelson_aalen(data, cause))]
    return np.column_stack(columns) if columns else np.zeros((frame.height, 0))
