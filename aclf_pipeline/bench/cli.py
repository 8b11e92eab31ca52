"""`aclf bench …`: measurements of the house. Every command imports what it measures only when it runs.

What does not belong here: measuring; a command reads options, calls one function of the room and prints.
"""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from aclf_pipeline.console import console, plain_errors

app = typer.Typer(
    name="bench", help="Measure the house: its speed, and what it detects.", no_args_is_help=True, add_completion=False
)


# options that several commands take
Persons = Annotated[int, typer.Option(min=40, help="Persons in each simulated hospital")]
Seeds = Annotated[str, typer.Option(help="Seeds of the simulation, comma-separated")]
RowSizes = Annotated[str, typer.Option(help="Rows, comma-separated, as 200k or 10M")]
Engines = Annotated[str | None, typer.Option(help="Engines, comma-separated; without it, all")]
RowsSeed = Annotated[int, typer.Option(help="Seed of the rows; the same seed draws the same rows")]
Repeat = Annotated[int, typer.Option(min=1, help="Runs of each engine; the median counts")]
MaxGb = Annotated[float, typer.Option(min=0.5, help="Memory above which an engine is stopped")]
MaxSeconds = Annotated[float, typer.Option(min=1, help="Seconds after which an engine is stopped")]
DataFolder = Annotated[Path | None, typer.Option(help="Folder to keep the drawn rows in; else they are removed")]
JsonFile = Annotated[Path | None, typer.Option(help="File to write everything to")]


@app.command()
def detection(
    persons: Persons = 300,
    seeds: Seeds = "1,2,3",
    rates: Annotated[str, typer.Option(help="Factors on how often damage is planted, comma-separated")] = "1",
    profiles: Annotated[
        str, typer.Option(help="Profiles, comma-separated; `broken` stands for every broken:<defect>")
    ] = "standard,broken,clean",
    mutation: Annotated[
        bool, typer.Option(help="Also remove every rule and loosen its figures, on `standard`")
    ] = False,
    json: JsonFile = None,
) -> None:
    """Plant every class of damage and count what the gate meets, with which rule, and whom it accuses wrongly."""
    from aclf_pipeline.bench.detection_report import print_detection, run_and_collect

    with plain_errors():
        found = run_and_collect(persons, seeds, rates, profiles, mutation=mutation)
    print_detection(found)
    if json is not None:
        json.write_text(dumps(found.plain(), ensure_ascii=False, indent=1, default=str), "utf-8")


@app.command()
def truth(
    persons: Persons = 300,
    seeds: Seeds = "1,2,3",
    profiles: Annotated[str, typer.Option(help="Profiles, comma-separated")] = "clean,standard",
    json: JsonFile = None,
) -> None:
    """Hold eligibility, outcome and baseline of every simulated person against the truth; ends with 1 when a difference
    has no line in the ledger."""
    from aclf_pipeline.bench.agreement_report import plain, print_agreement, run_and_collect

    with plain_errors():
        agreement = run_and_collect(persons, seeds, profiles)
    if json is not None:
        json.write_text(dumps(plain(agreement), ensure_ascii=False, indent=1, default=str), "utf-8")
    if not print_agreement(agreement):
        raise typer.Exit(1)


@app.command()
def gate(
    sizes: RowSizes = "1M",
    engines: Engines = None,
    rows_seed: RowsSeed = 1,
    repeat: Repeat = 1,
    max_gb: MaxGb = 12.0,
    max_seconds: MaxSeconds = 1800.0,
    data: DataFolder = None,
    json: JsonFile = None,
) -> None:
    """Time the gate against hand-written SQL and the field's tools, on laboratory rows with known kinds of defects."""
    from aclf_pipeline.bench.gate_run import Limits, as_json, bench_gate, engines_of, sizes_of
    from aclf_pipeline.bench.gate_table import print_gate

    limits = Limits(max_gb, max_seconds)
    with plain_errors():
        asked, named = sizes_of(sizes), engines_of(engines)
        with console.status("measuring") as status:
            runs = bench_gate(
                asked, named, seed=rows_seed, repeat=repeat, limits=limits, data=data, tick=status.update
            )  # fmt: skip
    if json is not None:
        json.write_text(as_json(runs, rows_seed, limits), encoding="utf-8")
    if not print_gate(runs, limits, repeat):
        raise typer.Exit(1)


@app.command()
def harmonise(
    sizes: RowSizes = "1M",
    rows_seed: RowsSeed = 1,
    max_gb: MaxGb = 12.0,
    max_seconds: MaxSeconds = 1800.0,
    data: DataFolder = None,
    json: JsonFile = None,
) -> None:
    """Time raw laboratory rows to baselines, step by step, beside what reading and writing the same bytes take."""
    from aclf_pipeline.bench.gate_run import Limits, sizes_of
    from aclf_pipeline.bench.harmonise_run import as_json, bench_harmonise, table

    limits = Limits(max_gb, max_seconds)
    with plain_errors():
        asked = sizes_of(sizes)
        with console.status("measuring") as status:
            found = bench_harmonise(asked, seed=rows_seed, limits=limits, data=data, tick=status.update)
    if json is not None:
        json.write_text(as_json(found, rows_seed, limits), encoding="utf-8")
    for one in found:
        if one.house:
            console.print(table(one))
        for problem in one.problems:
            console.print(f"✗ {problem}", markup=False, highlight=False)
    if any(one.problems for one in found):
        raise typer.Exit(1)


@app.command()
def recovery(
    seeds: Annotated[int, typer.Option(help="How many hospitals")] = 200,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first; the others follow")] = 1,
    persons: Annotated[int, typer.Option(min=100, help="Persons in each simulated hospital")] = 2500,
    workers: Annotated[int, typer.Option(min=1, help="Processes at work")] = 2,
    json: JsonFile = None,
) -> None:
    """Fit the hazards the simulator drew its deaths from, and infusions that do nothing: bias and coverage."""
    from aclf_pipeline.bench.recovery import recover
    from aclf_pipeline.bench.recovery_table import as_json, print_recovery, seeds_of

    with plain_errors():
        asked = seeds_of(first, seeds)
        with console.status("drawing hospitals") as status:
            found = recover(persons, asked, workers=workers, tick=status.update)
    if json is not None:
        json.write_text(as_json(found, persons), encoding="utf-8")
    if not print_recovery(found, persons):
        raise typer.Exit(1)


@app.command()
def survival(
    sizes: Annotated[str, typer.Option(help="People, comma-separated, as 446 or 500k")] = "446,5k,50k,500k",
    engines: Engines = None,
    rows_seed: RowsSeed = 1,
    repeat: Repeat = 3,
    draws: Annotated[int, typer.Option(min=0, help="Bootstrap fits; 0 leaves them out")] = 1000,
    plan_workers: Annotated[int, typer.Option(min=0, help="Processes of the whole plan; 0 leaves it out")] = 2,
    max_gb: MaxGb = 12.0,
    max_seconds: MaxSeconds = 300.0,
    json: JsonFile = None,
) -> None:
    """Time our Cox models against lifelines, scikit-survival, statsmodels and R; every coefficient must agree."""
    from aclf_pipeline.bench.gate_run import Limits, sizes_of
    from aclf_pipeline.bench.survival_run import BOOTSTRAP, as_json, bench_survival, engines_of
    from aclf_pipeline.bench.survival_table import print_survival

    limits = Limits(max_gb, max_seconds)
    with plain_errors():
        asked, named = sizes_of(sizes), engines_of(engines)
        with console.status("measuring") as status:
            runs = bench_survival(
                asked, named, seed=rows_seed, repeat=repeat, bootstrap=(*BOOTSTRAP[:2], draws) if draws else None,
                plan_workers=plan_workers or None, limits=limits, tick=status.update,
            )  # fmt: skip
    if json is not None:
        json.write_text(as_json(runs, rows_seed, limits), encoding="utf-8")
    if not print_survival(runs, limits):
        raise typer.Exit(1)
