"""The detection bench as its user asks for it and reads it: options in, tables out.

What does not belong here: running and scoring (`detection_run`, `detection`, `mutation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import polars as pl
from rich.table import Table
from rich.text import Text

from aclf_pipeline.bench.detection_run import DetectionReport, run_detection
from aclf_pipeline.bench.mutation import judge_mutants, worth
from aclf_pipeline.console import console
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.simulate.profiles import PROFILES, STANDARD

_BROKEN = "broken"
_LONGEST = 48
"""Characters of a cell that are shown; a removed row is quoted whole in the truth."""

N = TypeVar("N", int, float)


def run_and_collect(persons: int, seeds: str, rates: str, profiles: str, *, mutation: bool) -> DetectionReport:
    """Run the bench over comma-separated lists; a wrong word is a UserError that names every wrong one."""
    asked = list(profiles_of(words_of(profiles)))
    numbers = numbers_of("seeds", seeds, int), numbers_of("rates", rates, float)
    report = DetectionReport()
    with console.status("detection") as status:

        def tick(what: str) -> None:
            status.update(f"detection: {what}")

        run_detection(report, persons=persons, seeds=numbers[0], rates=numbers[1], profiles=asked, tick=tick)
        if mutation:
            run_detection(
                report, persons=persons, seeds=numbers[0][:1], rates=[1.0], profiles=[STANDARD], tick=tick,
                mutants=lambda judged: judge_mutants(judged, tick),
            )  # fmt: skip
    return report


def words_of(text: str) -> list[str]:
    """The words between commas."""
    return [word for part in text.split(",") if (word := part.strip())]


def profiles_of(words: Iterable[str]) -> Iterable[str]:
    """The profiles these words stand for; an unknown one is a UserError that names every unknown one."""
    known = [*PROFILES, _BROKEN]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise UserError([f"bench: there is no profile '{word}'.{did_you_mean(word, known)}" for word in unknown])
    for word in words:
        yield from (p for p in PROFILES if p.startswith("broken:")) if word == _BROKEN else (word,)


def numbers_of(what: str, text: str, kind: type[N]) -> list[N]:
    """The numbers between commas; UserError where one is none."""
    try:
        return [kind(word) for word in words_of(text)]
    except ValueError as error:
        raise UserError(f"bench: --{what} asks for '{text}'; write numbers with commas between, e.g. 1,2,3") from error


def print_detection(report: DetectionReport) -> None:
    """Every class with its counts; then what was missed; then what was found where nothing is; then what rules do."""
    if report.runs:
        console.print(_classes(report.classes))
        overall = report.overall
        console.print(
            f"overall: recall {_share(overall['recall'])}, right rule {_share(overall['attribution'])}, "
            f"precision {_share(overall['precision'])}"
        )
    for title, frames in (
        ("Not met, or met by another rule", report.missed),
        ("Found on clean", report.false_on_clean),
    ):
        frame = pl.concat(frames) if frames else pl.DataFrame()
        if frame.height:
            console.print(plain_table(title, frame))
    if report.clean_runs:
        console.print(
            f"clean hospitals: {report.clean_runs}, findings on them: {sum(f.height for f in report.false_on_clean)}"
        )
    if report.mutants:
        console.print(plain_table("What each rule is worth", worth(pl.concat(report.mutants))))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _classes(classes: pl.DataFrame) -> Table:
    shown = classes.select(
        "defect", "planted", "asked", "met", pl.col("attributed").alias("right rule"), "preferred",
        pl.concat_str(pl.col("right_values"), pl.lit("/"), pl.col("repaired_values")).alias("right values"),
        "findings", "false", "recall", "attribution", "precision",
    )  # fmt: skip
    return plain_table("Detection", shown)


def plain_table(title: str, frame: pl.DataFrame) -> Table:
    """A frame as it is, for the terminal; long cells are cut."""
    drawn = Table(title=title, title_justify="left")
    for name, dtype in frame.schema.items():
        drawn.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        drawn.add_row(*(_cell(value) for value in row))
    return drawn


def _cell(value: object) -> Text:
    """A value as plain text: what hospitals deliver may look like markup."""
    if value is None:
        return Text("")
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return Text(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
