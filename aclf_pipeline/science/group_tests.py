"""Tests of baseline differences for table 1: of numbers between two or more groups, and of categories.

Each test is R's with its defaults (t.test, wilcox.test, kruskal.test, oneway, chisq.test, fisher.test), and 'chosen' is
the one a table shows: rank tests for numbers (described by median and quartiles), Fisher's exact test for categories
where an expected count is below 5, else chi-square (Cochran 1954, Biometrics 10:417). P-values of baseline differences
describe; they select nothing. Descriptions and standardised differences (descriptive) do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import stats
from scipy.special import gammaln

from aclf_pipeline.science.problems import StatisticalProblem, require_columns
from aclf_pipeline.science.risk_sets import Floats, Ints

WHAT = "table 1 tests"
SMALL_EXPECTED = 5.0
EXACT_RANKS = 50
MOST_STATES = 2_000_000
SAME_CHANCE = 1e-7
COLUMNS = {
    "variable": pl.String,
    "test": pl.String,
    "statistic": pl.Float64,
    "df": pl.Float64,
    "p": pl.Float64,
    "n": pl.Int64,
    "chosen": pl.Boolean,
    "reason": pl.String,
}
Row = tuple[str, float | None, float | None, float | None, str | None]


def compare_groups(frame: pl.DataFrame, variables: Sequence[str], by: str) -> pl.DataFrame:
    """Test each variable for a difference between the groups of `by`: one row per variable and test.

    Numbers, two groups: 'welch', 'student', 'wilcoxon'; more: 'anova', 'kruskal'. Text and yes/no: 'chi2', 'chi2_yates'
    (two by two only), 'fisher'. Columns: variable, test, statistic, df, p, n (complete rows), chosen, reason (why there
    is no p). Null and NaN are missing. Raises StatisticalProblem for unknown columns and fewer than two groups.
    """
    require_columns(frame, (*variables, by), WHAT)
    rows = []
    for name in variables:
        kept = frame.select(value=name, group=pl.col(by).cast(pl.String))
        if kept.schema["value"].is_float():
            kept = kept.with_columns(pl.col("value").fill_nan(None))
        kept = kept.drop_nulls()
        if kept["group"].n_unique() < 2:
            raise StatisticalProblem(f"{WHAT}: '{name}' is known in fewer than two groups of '{by}'")
        number = kept.schema["value"].is_numeric()
        tests, chosen = _of_numbers(kept) if number else _of_categories(kept)
        rows += [
            (name, test, statistic, df, p, kept.height, test == chosen, reason)
            for test, statistic, df, p, reason in tests
        ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _of_numbers(kept: pl.DataFrame) -> tuple[list[Row], str]:
    """Tests of a number, and which of them a table shows."""
    groups = [
        part["value"].cast(pl.Float64).to_numpy()
        for _, part in sorted(kept.group_by("group"), key=lambda pair: str(pair[0]))
    ]
    chosen = "wilcoxon" if len(groups) == 2 else "kruskal"
    if min(map(len, groups)) < 2 or all(np.ptp(values) == 0 for values in groups):
        reason = "a group of one, or values that are all one"
        tests = ("welch", "student", "wilcoxon") if len(groups) == 2 else ("anova", "kruskal")
        return [(test, None, None, None, reason) for test in tests], chosen
    if len(groups) > 2:
        anova, ranks = stats.f_oneway(*groups), stats.kruskal(*groups)
        return [
            ("anova", float(anova.statistic), len(groups) - 1.0, float(anova.pvalue), None),
            ("kruskal", float(ranks.statistic), len(groups) - 1.0, float(ranks.pvalue), None),
        ], chosen
    found: list[Row] = []
    for test, equal in (("welch", False), ("student", True)):
        result = stats.ttest_ind(*groups, equal_var=equal)
        found.append((test, float(result.statistic), float(result.df), float(result.pvalue), None))
    return [*found, _wilcoxon(*groups)], chosen


def _wilcoxon(first: Floats, second: Floats) -> Row:
    """Rank sum: exact below 50 a group without ties, else normal with continuity correction, as R does."""
    both = np.concatenate([first, second])
    tied = len(np.unique(both)) < len(both)
    exact = max(len(first), len(second)) < EXACT_RANKS and not tied
    result = stats.mannwhitneyu(first, second, use_continuity=True, method="exact" if exact else "asymptotic")
    return "wilcoxon", float(result.statistic), None, float(result.pvalue), None


def _of_categories(kept: pl.DataFrame) -> tuple[list[Row], str]:
    """Tests of a category, and which of them a table shows."""
    values, groups = (np.unique(kept[name].cast(pl.String).to_numpy(), return_inverse=True)[1] for name in kept.columns)
    table = np.zeros((values.max() + 1, groups.max() + 1), dtype=np.int64)
    np.add.at(table, (values, groups), 1)
    if len(table) < 2:
        return [(test, None, None, None, "one level only") for test in ("chi2", "fisher")], "chi2"
    found: list[Row] = []
    for test, correction in (("chi2", False), ("chi2_yates", True)):
        if correction and table.shape != (2, 2):
            continue
        result = stats.chi2_contingency(table, correction=correction)
        found.append((test, float(result.statistic), float(result.dof), float(result.pvalue), None))
    expected = table.sum(axis=1)[:, None] * table.sum(axis=0) / table.sum()
    p = fisher_exact(table)
    reason = None if p is not None else "too many tables to count; chi-square is the test to take"
    small = bool((expected < SMALL_EXPECTED).any()) and p is not None
    return [*found, ("fisher", None, None, p, reason)], "fisher" if small else "chi2"


def fisher_exact(table: Ints) -> float | None:
    """Return the exact p-value of independence in an r × c table of counts, margins given; None if it is too large.

    The sum of the probabilities of all tables with these margins that are no likelier than this one (Freeman & Halton
    1951, Biometrika 38:141). Columns are laid one after another; states with the same margins left and the same
    probability so far are counted together, so that the sum is exact and no simulation.
    """
    counts = np.asarray(table, dtype=np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if counts.shape[0] > counts.shape[1]:
        counts = counts.T
    if counts.shape[0] < 2:
        return 1.0
    # The rows, the fewer, are what is carried along; the longest columns come last, when little is left to choose.
    rows, columns = counts.sum(axis=1), np.sort(counts.sum(axis=0))
    constant = float(gammaln(rows + 1).sum() + gammaln(columns + 1).sum() - gammaln(counts.sum() + 1))
    observed = constant - float(gammaln(counts + 1).sum())
    left, chance, times = rows[None, :], np.zeros(1), np.ones(1)
    for column in columns[:-1]:
        laid = _ways(left, int(column))
        if laid is None:
            return None
        origin, cells = laid
        left, chance = left[origin] - cells, chance[origin] - gammaln(cells + 1).sum(axis=1)
        left, chance, times = _merged(left, chance, times[origin])
    total = chance - gammaln(left + 1).sum(axis=1) + constant
    likely = np.exp(total) * times
    return float(min(1.0, likely[total <= observed + SAME_CHANCE].sum()))


def _ways(left: Ints, column: int) -> tuple[Ints, Ints] | None:
    """All ways to lay a column's count into the rows left (states × r): state of origin, and cells."""
    origin, cells = np.arange(len(left)), np.zeros((len(left), 0), dtype=np.int64)
    rest = np.full(len(left), column)
    for row in range(left.shape[1] - 1):
        after = left[origin, row + 1 :].sum(axis=1)
        low, high = np.maximum(0, rest - after), np.minimum(left[origin, row], rest)
        many = high - low + 1
        if int(many.sum()) > MOST_STATES:
            return None
        place = np.repeat(np.arange(len(origin)), many)
        value = low[place] + np.arange(len(place)) - np.repeat(np.cumsum(many) - many, many)
        origin, cells, rest = origin[place], np.column_stack([cells[place], value]), rest[place] - value
    return origin, np.column_stack([cells, rest])


def _merged(left: Ints, chance: Floats, times: Floats) -> tuple[Ints, Floats, Floats]:
    """Count states with the same margins left and the same probability so far together."""
    key = np.column_stack([left, np.round(chance * 1e8).astype(np.int64)])
    _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return left[first], chance[first], np.asarray(np.bincount(place.ravel(), weights=times), dtype=np.float64)


def normality(frame: pl.DataFrame, variables: Sequence[str], by: str) -> pl.DataFrame:
    """Return the Shapiro–Wilk test of each number in each group: variable, group, statistic, p, n.

    Null and NaN are missing; groups of fewer than 3 or of one value have null. Raises StatisticalProblem for unknown
    columns.
    """
    require_columns(frame, (*variables, by), WHAT)
    rows: list[tuple[str, str, float | None, float | None, int]] = []
    for name in variables:
        kept = frame.select(value=pl.col(name).cast(pl.Float64).fill_nan(None), group=pl.col(by).cast(pl.String))
        for (group,), part in sorted(kept.drop_nulls().group_by("group"), key=lambda pair: str(pair[0])):
            values = part["value"].to_numpy()
            if len(values) < 3 or np.ptp(values) == 0:
                rows.append((name, str(group), None, None, len(values)))
                continue
            result = stats.shapiro(values)
            rows.append((name, str(group), float(result.statistic), float(result.pvalue), len(values)))
    schema = {"variable": pl.String, "group": pl.String, "statistic": pl.Float64, "p": pl.Float64, "n": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
