"""`aclf`: thin doors to the same assets that Dagster runs, and to what they leave behind.

What does not belong here: work. A command reads settings, calls one function of a room and prints what came of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from aclf_pipeline.assets.exchange_cli import contracts, protocol
from aclf_pipeline.bench.cli import app as bench
from aclf_pipeline.console import console, plain_errors, refuse
from aclf_pipeline.errors import UserError
from aclf_pipeline.onboarding.cli import app as sources
from aclf_pipeline.settings import Settings

if TYPE_CHECKING:
    from aclf_pipeline.warehouse.connection import Warehouse

app = typer.Typer(
    name="aclf",
    help="Raw hospital exports to a cohort, survival models and a report; nothing is published that did not pass.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for room in (bench, contracts, protocol, sources):
    app.add_typer(room)

Home = Annotated[Path | None, typer.Option(help="Folder for everything the pipeline writes [ACLF_HOME, default: data]")]
Study = Annotated[str | None, typer.Option(help="Study, a folder of protocol/studies [ACLF_STUDY]")]
Source = Annotated[str | None, typer.Option(help="Source, a folder of sql/staging [ACLF_SOURCE]")]
Exports = Annotated[Path | None, typer.Option(help="Folder with the source's batch folders [ACLF_EXPORTS_DIR]")]
AsOf = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day the analysis looks back from")]
ReviewOn = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Day on which waivers must be valid [default: the newest delivery's]"),
]


def _settings(**given: Any) -> Settings:
    """Settings from the environment, with the options given on the command line on top."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        refuse(
            [
                f"settings: ACLF_{'_'.join(map(str, e['loc'])).upper()} is '{e['input']}': {e['msg']}"
                for e in error.errors()
            ]
        )


@contextmanager
def _warehouse(settings: Settings) -> Iterator[Warehouse]:
    """The warehouse a refresh left behind; looking for something makes no empty one."""
    from aclf_pipeline.warehouse.connection import Warehouse

    if not settings.warehouse.is_file():
        raise UserError(
            f"warehouse: there is no '{settings.warehouse}' yet. Run `aclf refresh` first, or say where it is with"
            " --home and --source."
        )
    with Warehouse.open(settings.warehouse, memory_limit=settings.memory_limit, threads=settings.threads) as wh:
        yield wh


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for the kind of file that is being read; the rest of its name may hold an identifier until it was read."""
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("refreshing", total=None)

        def tick(what: str, done: int, total: int) -> None:
            bars.update(task, description=what.split(".")[0].split("_")[0], completed=done, total=total)

        yield tick


def _print(frame: pl.DataFrame, title: str) -> None:
    drawn = Table(title=Text(title), title_justify="left")
    for name, dtype in frame.schema.items():
        drawn.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        drawn.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(drawn)


@app.command()
def demo(
    persons: Annotated[int, typer.Option(min=40, help="Persons in the simulated hospital")] = 1800,
    seed: Annotated[int, typer.Option(help="Seed of the simulation")] = 1,
    profile: Annotated[str, typer.Option(help="clean, standard or broken:<defect>")] = "standard",
    home: Home = None,
) -> None:
    """Simulate a hospital that never existed and refresh everything from its exports. SYNTHETIC DATA."""
    settings = _settings(home=home or Path(os.environ.get("ACLF_HOME", "data/demo")), study="nct07198854", source="his")
    if not (settings.root / "SIMULATED.txt").is_file():
        simulate(settings.root, persons=persons, seed=seed, profile=profile)
    else:
        console.print(f"the simulated hospital is there already: {settings.root}", markup=False, soft_wrap=True)
    refresh(home=settings.root, study="nct07198854", source="his", exports=settings.root / "exports" / "his")


@app.command()
def simulate(
    root: Annotated[Path, typer.Argument(help="Folder to write exports/ and truth/ into")],
    persons: Annotated[int, typer.Option(min=40, help="Persons in the simulated hospital")] = 2500,
    seed: Annotated[int, typer.Option(help="Seed; the same seed writes the same bytes")] = 1,
    profile: Annotated[str, typer.Option(help="clean, standard or broken:<defect>")] = "clean",
) -> None:
    """Write the exports of a hospital that never existed, with the truth beside them."""
    from aclf_pipeline.simulate import write_bundle

    with plain_errors():
        _can_simulate(root, profile)
    with console.status(f"simulating {persons} persons, seed {seed}, profile {profile}"):
        summary = write_bundle(root, n_persons=persons, seed=seed, profile=profile)
    console.print(
        f"[yellow]SYNTHETIC[/yellow] {summary.n_persons} persons, {sum(summary.rows.values()):,} rows in {root}",
        soft_wrap=True,
    )


def _can_simulate(root: Path, profile: str) -> None:
    """The simulator knows nothing of the house's errors: its refusals become a user's."""
    from aclf_pipeline.simulate.profiles import check_profile

    try:
        check_profile(profile)
    except ValueError as error:
        raise UserError(f"simulate: {error}") from error
    if (root / "exports").exists():
        raise UserError(f"simulate: '{root}' already holds exports, which are never written over. Name another folder.")


@app.command()
def refresh(
    study: Study = None,
    source: Source = None,
    home: Home = None,
    exports: Exports = None,
    as_of: AsOf = None,
    review_on: ReviewOn = None,
) -> None:
    """Take in what is new, judge it, rebuild cohort, models and pages, and publish when nothing blocking failed."""
    from aclf_pipeline.assets.instance import run_refresh
    from aclf_pipeline.assets.outcome import describe_outcome

    days = {name: day.date() if day else None for name, day in {"as_of": as_of, "review_on": review_on}.items()}
    settings = _settings(study=study, source=source, home=home, exports_dir=exports, **days)
    with plain_errors():
        with _progress() as tick:
            result = run_refresh(settings, tick)
        outcome = describe_outcome(settings, result)
    for title, frame in outcome.tables:
        _print(frame, title)
    for line in outcome.lines:
        console.print(line, highlight=False, soft_wrap=True)
    if not outcome.passed:
        raise typer.Exit(1)


@app.command()
def trace(
    patient: Annotated[str, typer.Argument(help="Pseudonymous id of a candidate, person or record")],
    variable: Annotated[str | None, typer.Argument(help="Variable of the cohort; without it, the whole story")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every variable to the bytes, instead of the story")] = False,
    study: Study = None,
    source: Source = None,
    home: Home = None,
) -> None:
    """Tell the story of a patient in or out of the cohort, or follow one value back to the bytes it came from."""
    from aclf_pipeline.protocol import load_protocol
    from aclf_pipeline.warehouse.story import tell
    from aclf_pipeline.warehouse.trace import find_candidate
    from aclf_pipeline.warehouse.trace import trace as follow
    from aclf_pipeline.warehouse.trace_text import render, render_story

    settings = _settings(study=study, source=source, home=home)
    with plain_errors(), _warehouse(settings) as wh:
        if variable is None and not every:
            told = tell(wh, load_protocol(settings.protocol, settings.study).study, find_candidate(wh, patient)[0])
            lines = render_story(told)
        else:
            lines = render(follow(wh, patient, variable))
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def violations(
    rule: Annotated[str | None, typer.Argument(help="A rule's id; without it, counts of all")] = None,
    state: Annotated[str | None, typer.Option(help="Only findings that are: new, persisting, resolved, …")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows")] = 25,
    study: Study = None,
    source: Source = None,
    home: Home = None,
) -> None:
    """List what broke which rule, with file and line, and what became of it since the last refresh."""
    from aclf_pipeline.warehouse.ledger import violation_counts, violation_rows
    from aclf_pipeline.warehouse.over_time import check_state, findings_of

    settings = _settings(study=study, source=source, home=home)
    with plain_errors(), _warehouse(settings) as wh:
        if state is not None:
            check_state(rule, state)
            found = findings_of(wh, _judged(wh, str(rule)), state, limit)
        else:
            found = violation_counts(wh) if rule is None else violation_rows(wh, _judged(wh, rule), limit)
    what = f"rule '{rule}'" if rule else "any rule"
    if found.height:
        _print(found, f"Violations of {what}" if state is None else f"Findings of {what}: {state}")
    elif state is None:
        console.print(f"No row violates {what}.", highlight=False, markup=False)
    else:
        console.print(f"No finding of {what} is {state}.", highlight=False, markup=False)


@app.command()
def cases(
    question: Annotated[str | None, typer.Argument(help="A question of questions.yaml; without it, all")] = None,
    every: Annotated[bool, typer.Option("--all", help="Decided cases too")] = False,
    study: Study = None,
    source: Source = None,
    home: Home = None,
) -> None:
    """List what a person must settle: the question, its evidence with file and line, and the stanza that decides it."""
    from aclf_pipeline.protocol import load_protocol
    from aclf_pipeline.quality.worklist import asked, render, worklist

    settings = _settings(study=study, source=source, home=home)
    with plain_errors(), _warehouse(settings) as wh:
        protocol = load_protocol(settings.protocol, settings.study)
        for line in render(worklist(wh, protocol, asked(protocol, question), every=every)):
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _judged(wh: Warehouse, rule: str) -> str:
    """A rule the last refreshes judged; an unknown one is not mistaken for one that nothing broke."""
    from aclf_pipeline.protocol.errors import did_you_mean

    known = {name for (name,) in wh.rows("select distinct rule_id from quality.checks")}
    if rule not in known:
        raise UserError(f"violations: no refresh has judged a rule '{rule}'.{did_you_mean(rule, known)}")
    return rule


@app.command()
def impact(
    rules: Annotated[list[str] | None, typer.Argument(help="Rules to switch off, one at a time")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every rule that touches a candidate (slow)")] = False,
    unblind: Annotated[bool, typer.Option(help="Look at events and hazard ratios; kept in the ledger")] = False,
    reason: Annotated[str, typer.Option(help="Why the outcome is looked at")] = "",
    by: Annotated[str, typer.Option(help="The role in whose name it is looked at")] = "",
    study: Study = None,
    source: Source = None,
    home: Home = None,
) -> None:
    """What a rule changes: rows, patients, cohort members, and, unblinded, events and the primary hazard ratios."""
    from aclf_pipeline.assets.house import House
    from aclf_pipeline.assets.impact import Unblinding, impact_report, impact_tables

    settings = _settings(study=study, source=source, home=home)
    with plain_errors(), console.status("rehearsing"):
        unblinding = Unblinding(reason, by) if unblind else None
        report = impact_report(House.load(settings), rules or (), every=every, unblinding=unblinding)
    for title, frame in impact_tables(report):
        _print(frame, title)
    if not unblind:
        console.print("Blind to outcome. Say --unblind --reason … --by … to see events and hazard ratios.")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of Dagster's pages; the reports are on the next one")] = 3000,
    study: Study = None,
    source: Source = None,
    home: Home = None,
) -> None:
    """Open Dagster (webserver and daemon) and the reports, on loopback."""
    from aclf_pipeline.assets.serve import serve

    settings = _settings(study=study, source=source, home=home)
    with plain_errors():
        serve(settings, port)


@app.command()
def doctor(study: Study = None, source: Source = None, home: Home = None, exports: Exports = None) -> None:
    """Check pages, mappings, paths and permissions before anything runs."""
    from aclf_pipeline.assets.preflight import preflight

    settings = _settings(study=study, source=source, home=home, exports_dir=exports)
    findings = preflight(settings)
    for finding in findings:
        mark = {"ok": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "fail": "[red]✗[/red]"}[finding.state]
        console.print(f"{mark} {escape(finding.says)}", highlight=False, soft_wrap=True)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(2)
