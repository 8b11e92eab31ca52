"""Time zeros, completeness of follow-up and the counting process, held to the rules of survival data before they stand.

As with the cohort, the step judges first and writes last: when something that blocks fails, the last good tables stay.

What does not belong here: which time zeros there are (the study page), the rules (quality) and how anything is computed
(science).
"""

from collections.abc import Iterator, Mapping

import dagster as dg
import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.metadata import OWNERS, Yielded, key, table, table_entries
from aclf_pipeline.assets.pages import finish_held_back
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.quality.survival_rules import RULES, Judged, SurvivalRule, findings, of_rule
from aclf_pipeline.quality.verdicts import SAMPLE_ROWS
from aclf_pipeline.science.intervals import intervals
from aclf_pipeline.science.time_zeros import follow_up, time_zeros
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.survival_inputs import INFUSIONS, read_inputs

SURVIVAL_TABLES = ("time_zeros", "follow_up", "intervals", "survival_findings")
CONTRACTS = "contracts_of_survival"
"""One check for the contracts of all tables of this step."""
_JUDGED = ["marts", "intervals"]
_READ = ("marts.candidates", "marts.eligibility", "marts.cohort", "intermediate.labs", "intermediate.baseline_facts",
         "intermediate.persons", "core.followups")  # fmt: skip


def survival_asset(house: House) -> dg.AssetsDefinition:
    """marts.time_zeros, marts.follow_up, marts.intervals and marts.survival_findings."""
    contracts, made_by_sql = MARTS[house.settings.study], {model.table for model in house.models}
    deps = [key(name) for name in _READ] + ([key(INFUSIONS)] if INFUSIONS in made_by_sql else [])
    specs = [
        dg.AssetSpec(
            ["marts", name],
            deps=deps,
            group_name="marts",
            kinds={"python", "polars", "pandera"},
            owners=OWNERS["statistics"],
            description=contracts[name].__doc__,
        )
        for name in SURVIVAL_TABLES
    ]

    @dg.multi_asset(name="survival", specs=specs, check_specs=_check_specs())
    def survival(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        with house.open() as wh:
            made = _made(house, wh)
            broken = {name: check_table(made[name], contracts[name]) for name in SURVIVAL_TABLES}
            judged = [_contract_result(broken), *(_result(rule, made["survival_findings"]) for rule in RULES)]
            if any(not r.passed and r.severity == dg.AssetCheckSeverity.ERROR for r in judged):
                yield from judged
                page = finish_held_back(house, wh, context.run.run_id, broken)
                raise dg.Failure(f"The survival tables fail a blocking check: the last good ones stay. See {page}")
            yield from _written(house, wh, made)
            yield from judged

    return survival


def _made(house: House, wh: Warehouse) -> dict[str, pl.DataFrame]:
    """Every table of the step."""
    study = house.protocol.study
    candidates, eligibility, cohort = (wh.frame(f"select * from {name}") for name in _READ[:3])
    analytes = {name: study.baseline[name].analyte or name for name in study.time_varying}
    inputs = read_inputs(wh, analytes)
    zeros = time_zeros(candidates, eligibility, inputs.infusions, study, house.as_of)
    counted = intervals(cohort, inputs.infusions, inputs.labs, study.time_varying)
    found = findings(
        Judged(study, house.as_of, cohort, zeros, counted, inputs.infusions, inputs.calls, inputs.measured)
    )
    return {
        "time_zeros": zeros,
        "follow_up": follow_up(zeros, study.horizons, house.as_of),
        "intervals": counted,
        "survival_findings": found,
    }


def _check_specs() -> list[dg.AssetCheckSpec]:
    shape = "Time zeros, follow-up, intervals and findings keep their strict contracts"
    return [
        dg.AssetCheckSpec(CONTRACTS, asset=_JUDGED, blocking=True, description=shape),
        *(
            dg.AssetCheckSpec(
                rule.id, asset=_JUDGED, blocking=rule.blocking, description=f"{rule.says}. {rule.because}."
            )
            for rule in RULES
        ),
    ]


def _contract_result(broken: Mapping[str, list[str]]) -> dg.AssetCheckResult:
    told = [f"- {name}: {problem}" for name, problems in broken.items() for problem in problems]
    return dg.AssetCheckResult(
        asset_key=_JUDGED,
        check_name=CONTRACTS,
        passed=not told,
        description=f"{len(told)} problems" if told else "kept",
        metadata={"1_problems": dg.MetadataValue.md("\n".join(told) or "none")},
    )


def _result(rule: SurvivalRule, found: pl.DataFrame) -> dg.AssetCheckResult:
    """What one rule found, with the pseudonyms of the first members concerned."""
    own = of_rule(found, rule.id)
    members = own["candidate_id"].n_unique()
    sample = own.head(SAMPLE_ROWS).to_dicts()
    return dg.AssetCheckResult(
        asset_key=_JUDGED,
        check_name=rule.id,
        passed=not own.height,
        severity=dg.AssetCheckSeverity.ERROR if rule.blocking else dg.AssetCheckSeverity.WARN,
        description=f"{own.height} findings in {members} candidates" if own.height else "kept",
        metadata={"1_members": members, "2_findings": table(sample, ["candidate_id", "says"])},
    )


def _written(house: House, wh: Warehouse, made: Mapping[str, pl.DataFrame]) -> Iterator[dg.MaterializeResult]:
    with wh.transaction():
        for name, frame in made.items():
            wh.write(f"marts.{name}", frame)
    for name, frame in made.items():
        entries = table_entries(f"marts.{name}", frame.height, MARTS[house.settings.study][name])
        yield dg.MaterializeResult(key(f"marts.{name}"), metadata=entries)
