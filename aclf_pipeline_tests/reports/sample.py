"""Invented contexts of realistic size for the pages. Every person, file and count here is made up.

Estimates are computed in a few lines of their own: the pages under test must not care who made the frames.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache

import polars as pl

from aclf_pipeline.protocol import Analysis, Analyte, Code, Definition, Protocol, Rule, Study
from aclf_pipeline.protocol.plan import stanza as read_stanza
from aclf_pipeline.reports.study import Analysed, StudyContext
from aclf_pipeline.reports.validation_site.context import ValidationContext, rules_frame

HORIZONS = (28, 84, 168, 336)
RULES = [
    (
        "labs",
        "labs_reported_after_collected",
        "A result is reported after its specimen was collected",
        "reported_at >= collected_at",
        "plausibility/temporal",
        "quarantine",
        0.001,
    ),
    (
        "labs",
        "labs_unit_mapped",
        "Every unit of a number is mapped to UCUM",
        "unit is not null or value is null",
        "conformance/value",
        "flag",
        0.01,
    ),
    (
        "labs",
        "labs_loinc_mapped",
        "Every item is mapped to LOINC",
        "loinc is not null",
        "conformance/value",
        "flag",
        0.05,
    ),
    (
        "labs",
        "labs_collected_known",
        "The time of collection is known",
        "collected_at is not null",
        "completeness/value",
        "flag",
        0.02,
    ),
    (
        "stays",
        "stays_end_after_start",
        "A stay ends after it began",
        "discharged_at >= admitted_at",
        "plausibility/temporal",
        "quarantine",
        0.0,
    ),
    (
        "stays",
        "stays_age_possible",
        "The stated age is between 0 and 120 years",
        "age_years_stated between 0 and 120",
        "plausibility/atemporal",
        "quarantine",
        0.0,
    ),
    (
        "infusions",
        "infusions_dated",
        "Every infusion has a day",
        "infused_on is not null",
        "completeness/value",
        "block",
        0.0,
    ),
    (
        "infusions",
        "infusions_dose_possible",
        "Viable cells lie between 1 and 1000 million",
        "cells_infused_1e6 between 1 and 1000",
        "plausibility/atemporal",
        "quarantine",
        0.0,
    ),
    (
        "deaths",
        "deaths_not_contradicted",
        "Nobody has a laboratory result after the day of death",
        None,
        "plausibility/temporal",
        "flag",
        0.01,
    ),
    (
        "patients",
        "patients_sex_agrees",
        "The stated sex agrees with the one in the identity number",
        None,
        "plausibility/atemporal",
        "flag",
        0.005,
    ),
]
AUDITS = {
    "deaths_not_contradicted": "-- One row per result after death.\nselect l._row_id, l.collected_at as observed\n"
    "from staging.labs as l\njoin staging.deaths as d using (patient_id)\nwhere l.collected_at > d.died_to",
    "patients_sex_agrees": "-- One row per front page.\nselect p._row_id, p.sex as observed from staging.patients as p",
}
FAILING = {
    "labs_reported_after_collected": (51_433, 12),
    "labs_unit_mapped": (51_433, 1_204),
    "labs_loinc_mapped": (51_433, 0),
    "labs_collected_known": (51_433, 96),
    "stays_end_after_start": (1_310, 2),
    "stays_age_possible": (1_310, 0),
    "infusions_dated": (1_702, 3),
    "infusions_dose_possible": (1_702, 5),
    "deaths_not_contradicted": (214, 1),
}
FILES = ("20190105_full/检验结果_2016年.csv", "20190105_full/检验结果_2017年.csv.gz", "20190208_incr_r2/病案首页.csv")


def rules() -> list[Rule]:
    return [
        Rule(
            id=rule_id,
            table=table,
            says=says,
            holds=holds,
            category=category,
            action=action,
            tolerate=tolerate,
            because="Order of events in a laboratory; Kahn 2016 (10.13063/2327-9214.1244).",
            fix="Compare the clock of the analyser with that of the laboratory system.",
        )
        for table, rule_id, says, holds, category, action, tolerate in RULES
    ]


def checks(failing: dict[str, tuple[int, int]] | None = None, refresh: str = "r07") -> pl.DataFrame:
    known = {rule.id: rule for rule in rules()}
    rows = []
    for rule_id, (total, failed) in (FAILING if failing is None else failing).items():
        rule = known[rule_id]
        share = failed / total
        passed = share <= rule.tolerate
        rows.append(
            (
                refresh,
                rule_id,
                rule.table,
                rule.category,
                rule.action,
                total,
                failed,
                share,
                rule.tolerate,
                passed,
                rule.action == "block",
                0.02,
            )
        )
    names = [
        "refresh_id",
        "rule_id",
        "table_name",
        "category",
        "action",
        "rows",
        "failing_rows",
        "share",
        "tolerate",
        "passed",
        "blocking",
        "seconds",
    ]
    return pl.DataFrame(rows, schema=names, orient="row")


def violations(per_rule: int = 40) -> pl.DataFrame:
    chance = random.Random(7)
    rows = [
        (
            rule_id,
            f"R{chance.getrandbits(64):016x}",
            f"2016-03-{day:02d} 08:15 < 2016-03-{day + 1:02d} 07:50",
            chance.choice(FILES),
            chance.randrange(2, 40_000),
            None,
        )
        for rule_id, (_, failed) in FAILING.items()
        for day in (1 + i % 27 for i in range(min(failed, per_rule)))
    ]
    names = ["rule_id", "patient", "observed", "file", "line", "sheet"]
    return pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"sheet": pl.String})


def history() -> pl.DataFrame:
    chance, known = random.Random(8), {rule.id: rule for rule in rules()}
    start = datetime.fromisoformat("2019-01-06T02:00")
    rows = [
        (
            f"r{i:02d}",
            start + timedelta(days=30 * i),
            rule_id,
            known[rule_id].category,
            max(0, failed + chance.randrange(-8, 60) * (7 - i) // 7),
            failed <= known[rule_id].tolerate * total,
        )
        for i in range(8)
        for rule_id, (total, failed) in FAILING.items()
    ]
    names = ["refresh_id", "started_at", "rule_id", "category", "failing_rows", "passed"]
    return pl.DataFrame(rows, schema=names, orient="row")


def refreshes() -> pl.DataFrame:
    return (
        history()
        .select("refresh_id", "started_at")
        .unique()
        .sort("started_at")
        .with_columns(protocol_digest=pl.lit("3f9c2a7be0d1" * 5), state=pl.lit("published"))
    )


def cases() -> pl.DataFrame:
    rows = [
        (
            "C0123456789",
            "alive_after_death",
            "Rf77d455cc7a43fb6",
            ["deaths_not_contradicted"],
            "ae5c4360",
            ["followups, 随访.xlsx, line 54: alive on 2016-03-09", "deaths, 死亡.csv, line 9: died on 2015-09-23"],
            "by_sources",
            None,
            "by_sources",
            "open",
            None,
            None,
            None,
            "- question: alive_after_death\n  patient: Rf77d455cc7a43fb6\n  evidence: 'ae5c4360'\n",
        ),
        (
            "C1123456789",
            "alive_after_death",
            "R0123456789abcdef",
            ["deaths_not_contradicted"],
            "0badcafe",
            ["followups, 随访.xlsx, line 60: alive on 2016-04-01"],
            "by_sources",
            "dead",
            "dead",
            "decided",
            "hepatologist",
            date(2019, 11, 2),
            "The ward's record tells of the death",
            "- question: alive_after_death\n  patient: R0123456789abcdef\n  evidence: '0badcafe'\n",
        ),
    ]
    names = [
        "case_id",
        "question",
        "patient_id",
        "rule_ids",
        "evidence_digest",
        "evidence",
        "default_choice",
        "decision",
        "in_force",
        "state",
        "decided_by",
        "decided_on",
        "reason",
        "stanza",
    ]
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def validation(**changes: object) -> ValidationContext:
    values: dict[str, object] = {
        "source": "his",
        "study": "nct07198854",
        "as_of": date(2019, 10, 31),
        "refresh_id": "r07",
        "protocol_digest": "3f9c2a7be0d1",
        "published": False,
        "synthetic": True,
        "checks": checks(),
        "rules": rules_frame(rules(), AUDITS),
        "violations": violations(),
        "by_file": pl.DataFrame(
            [
                ("labs_unit_mapped", 1, FILES[0], 900, 893),
                ("labs_unit_mapped", 2, FILES[1], 304, 304),
                ("stays_end_after_start", 3, FILES[2], 2, 2),
                ("unquoted_delimiter", 1, FILES[0], 5, 5),
            ],
            schema=["rule_id", "file_id", "file", "rows", "lines"],
            orient="row",
        ),
        "in_files": pl.DataFrame(
            [
                (1, "labs_unit_mapped", "Rf77d455cc7a43fb6 in μmol/L", 1_536, None),
                (1, "unquoted_delimiter", "22 fields where the header has 21", 77, None),
                (3, "stays_end_after_start", "2016-03-02 > 2016-03-01", 12, None),
            ],
            schema=["file_id", "rule_id", "observed", "line", "sheet"],
            orient="row",
            schema_overrides={"sheet": pl.String},
        ),
        "by_rule": pl.DataFrame(
            [(rule_id, min(failed, 391)) for rule_id, (_, failed) in FAILING.items() if failed],
            schema=["rule_id", "patients"],
            orient="row",
        ),
        "together": pl.DataFrame(
            [("labs_unit_mapped", "labs_collected_known", 17), ("labs_collected_known", "labs_unit_mapped", 17)],
            schema=["rule_id", "other", "rows"],
            orient="row",
        ),
        "columns": pl.DataFrame({"rule_id": ["labs_unit_mapped"], "columns": ["单位, 结果"]}),
        "refreshes": refreshes(),
        "findings": pl.DataFrame(
            [
                ("labs_unit_mapped", "new", 31),
                ("labs_unit_mapped", "persisting", 1_173),
                ("labs_unit_mapped", "resolved", 58),
                ("stays_end_after_start", "reopened", 2),
                ("stays_end_after_start", "backwards", 2),
            ],
            schema=["rule_id", "state", "rows"],
            orient="row",
        ),
        "releases": pl.DataFrame(
            [("labs", "labs_reported_after_collected", "corrected by a later delivery", 4)],
            schema=["table_name", "rule_id", "because", "rows"],
            orient="row",
        ),
        "cases": cases(),
        "questions": pl.DataFrame(
            {
                "question": ["alive_after_death"],
                "asks": ["Is the patient dead?"],
                "because": ["Either the notice or the call concerns somebody else."],
                "choices": [
                    [["by_sources", "The death counts if two sources state it."], ["dead", "The death counts."]]
                ],
            }
        ),
        "repairs": pl.DataFrame(
            [("labs_unit_mapped", "labs", "unit", "strong", 29, 21)],
            schema=["rule_id", "table_name", "column_name", "confidence", "rows", "patients"],
            orient="row",
        ),
        "waivers": pl.DataFrame(
            {
                "rule": ["labs_unit_mapped", "infusions_dose_possible"],
                "scope": [None, "cells_infused_1e6 > 1000"],
                "reason": ["The old analyser printed no unit", "Doses of the pilot"],
                "owner": ["laboratory", "cell laboratory"],
                "approver": ["principal investigator", "principal investigator"],
                "expires": [date(2020, 1, 31), date(2019, 6, 30)],
                "at_most": [1_337, 5],
                "valid": [True, False],
            }
        ),
        "missing": pl.DataFrame(
            [
                (name, f"{name} in serum", year, 140 + year % 7, (year * step) % 140, step < 40)
                for name, step in (("albumin", 7), ("ammonia", 31), ("lipase", 47))
                for year in range(2010, 2019)
            ],
            schema=["analyte", "says", "year", "stays", "without", "asked"],
            orient="row",
        ),
        "unmapped": pl.DataFrame(
            [("laboratory item", "T-BIL2", "总胆红素(重氮法)", 86), ("laboratory unit", None, "umol", 13)],
            schema=["what", "code", "name", "rows"],
            orient="row",
        ),
        "files": pl.DataFrame(
            [
                (i, name, name.split("/")[0], "gb18030" if i % 2 else "utf-8", rows, "loaded", f"{i:064x}"[:12])
                for i, (name, rows) in enumerate(zip(FILES, (30_021, 21_412, 1_310), strict=True), start=1)
            ],
            schema=["file_id", "path", "batch", "encoding", "rows", "state", "sha256"],
            orient="row",
        ),
        "file_problems": pl.DataFrame(
            [
                ("20190105_full", FILES[0], 17_222, "record_torn", "A record is torn", "Quote line ends", "flag"),
                (
                    "20190301_incr",
                    "20190301_incr/检验结果_增量.csv",
                    None,
                    "truncated_file",
                    "The last line is torn",
                    "Deliver the batch again",
                    "block",
                ),
            ],
            schema=["batch", "path", "line", "rule_id", "message", "advice", "action"],
            orient="row",
        ),
        "batches": pl.DataFrame(
            [("20190105_full", 1, "loaded", 1), ("20190208_incr_r2", 2, "loaded", 0)],
            schema=["batch", "seq", "state", "problems"],
            orient="row",
        ),
        "superseded": pl.DataFrame(
            [("labs", "corrected", 311), ("labs", "duplicate_row", 1_020), ("stays", "reissued", 14)],
            schema=["table_name", "reason", "rows"],
            orient="row",
        ),
        "receipts": pl.DataFrame(
            [("mojibake_repaired", "labs", "source_name", 44), ("full_width_digits", "labs", "value_text", 210)],
            schema=["rule_id", "table_name", "column_name", "rows"],
            orient="row",
        ),
        "quarantine": pl.DataFrame([("labs", 12), ("infusions", 5)], schema=["table_name", "rows"], orient="row"),
        "history": history(),
        "expectations": pl.DataFrame(
            [
                ("cohort_size", "The cohort has between 100 and 2000 patients", "marts.cohort", "block", True, 446.0),
                ("median_age", "The median age lies between 35 and 60", "marts.cohort", "warn", False, 61.5),
            ],
            schema=["id", "says", "table", "severity", "passed", "observed"],
            orient="row",
        ),
    }
    return ValidationContext(**(values | changes))  # type: ignore[arg-type]


@cache
def patients(n: int = 446) -> list[tuple[float, str, bool]]:
    """(days, event, cirrhosis) of invented patients: Weibull deaths, exponential transplants, end of 2019-10-31."""
    chance = random.Random(20190105)
    found = []
    for _ in range(n):
        cirrhosis = chance.random() < 0.52
        death = 900 * (-math.log(1 - chance.random()) / (1.6 if cirrhosis else 0.9)) ** (1 / 0.62)
        transplant = chance.expovariate(1 / 4000)
        end = chance.uniform(150, 900)
        days = math.ceil(min(death, transplant, end, 336))
        event = "censored"
        if min(death, transplant) <= min(end, 336):
            event = "death" if death <= transplant else "transplant"
        found.append((float(days), event, cirrhosis))
    return found


def kaplan_meier(rows: Sequence[tuple[float, str]], group: str) -> pl.DataFrame:
    """Product limit with plain Greenwood limits, one row per time, 0 and horizons included."""
    survival, variance, lines = 1.0, 0.0, []
    for time in sorted({0.0, *map(float, HORIZONS), *(days for days, _ in rows)}):
        at_risk = sum(days >= time for days, _ in rows)
        events = sum(days == time and event == "death" for days, event in rows)
        censored = sum(days == time and event != "death" for days, event in rows)
        if events:
            survival *= 1 - events / at_risk
            variance += events / (at_risk * max(at_risk - events, 1))
        se = survival * math.sqrt(variance)
        limits = (max(0.0, survival - 1.96 * se), min(1.0, survival + 1.96 * se))
        lines.append((group, time, at_risk, events, censored, survival, se, *limits, len(rows)))
    names = ["group", "time", "at_risk", "events", "censored", "survival", "se", "lower", "upper", "n"]
    return pl.DataFrame(lines, schema=names, orient="row")


def risk(rows: Sequence[tuple[float, str]], group: str) -> pl.DataFrame:
    lines = [
        (
            group,
            float(day),
            sum(days >= day for days, _ in rows),
            sum(days <= day and event == "death" for days, event in rows),
        )
        for day in (0, *HORIZONS)
    ]
    return pl.DataFrame(lines, schema=["group", "time", "at_risk", "events_so_far"], orient="row")


def incidence(rows: Sequence[tuple[float, str]]) -> pl.DataFrame:
    lines, free = [], 1.0
    risen = {"death": 0.0, "transplant": 0.0}
    for time in sorted({0.0, *map(float, HORIZONS), *(days for days, _ in rows)}):
        at_risk = sum(days >= time for days, _ in rows)
        seen = {state: sum((days, event) == (time, state) for days, event in rows) for state in risen}
        for state, events in seen.items():
            risen[state] += free * events / max(at_risk, 1)
        free = 1 - sum(risen.values())
        for state, probability in {"event_free": free, **risen}.items():
            se = math.sqrt(probability * (1 - probability) / len(rows))
            inside = 0 < probability < 1
            limits = (max(0.0, probability - 1.96 * se), probability + 1.96 * se) if inside else (None, None)
            lines.append(("all", state, time, at_risk, seen.get(state, 0), probability, se, *limits, len(rows)))
    names = ["group", "state", "time", "at_risk", "events", "probability", "se", "lower", "upper", "n"]
    return pl.DataFrame(lines, schema=names, orient="row", infer_schema_length=None)


def coefficients() -> pl.DataFrame:
    ratios = {
        "age_years": (1.032, 0.008),
        "he_any": (2.41, 0.21),
        "inr": (1.58, 0.12),
        "nlr": (1.06, 0.017),
        "creatinine": (1.004, 0.0014),
        "sodium": (0.96, 0.02),
        "cirrhosis": (1.22, 0.19),
        "bilirubin_total": (1.0016, 0.0006),
    }
    rows = []
    for term, (hr, se) in ratios.items():
        z = math.log(hr) / se
        rows.append(
            (
                term,
                math.log(hr),
                se,
                hr,
                hr * math.exp(-1.96 * se),
                hr * math.exp(1.96 * se),
                z,
                math.erfc(abs(z) / math.sqrt(2)),
                431,
                141,
            )
        )
    names = ["term", "log_hr", "se", "hr", "lower", "upper", "z", "p", "n", "events"]
    return pl.DataFrame(rows, schema=names, orient="row")


def table_one() -> pl.DataFrame:
    rows = [
        ("age_years", None, "no death", 296, 0, "43.1 [36.0–51.2]"),
        ("age_years", None, "death", 150, 0, "48.7 [40.3–57.0]"),
        ("sex", "male", "no death", 296, 0, "262 (88.5 %)"),
        ("sex", "male", "death", 150, 0, "129 (86 %)"),
        ("sex", "female", "no death", 296, 0, "34 (11.5 %)"),
        ("sex", "female", "death", 150, 0, "21 (14 %)"),
        ("bilirubin_total", None, "no death", 290, 6, "312 [221–418]"),
        ("bilirubin_total", None, "death", 147, 3, "388 [280–491]"),
        ("inr", None, "no death", 288, 8, "1.92 [1.70–2.31]"),
        ("inr", None, "death", 146, 4, "2.44 [2.01–3.10]"),
        ("cirrhosis", "yes", "no death", 280, 16, "131 (46.8 %)"),
        ("cirrhosis", "yes", "death", 143, 7, "90 (62.9 %)"),
    ]
    return pl.DataFrame(rows, schema=["variable", "level", "group", "n", "missing", "value_text"], orient="row")


def attrition() -> pl.DataFrame:
    rows = [
        (1, "no_infusion", "At least one MSC infusion", 1204, 560, 644, 402, 560),
        (2, "age_under_18", "Aged 18 years or over at the index admission", 644, 4, 640, 1, 15),
        (
            3,
            "not_aclf",
            "ACLF by APASL or the Chinese guideline within 7 days of the index admission",
            640,
            58,
            582,
            31,
            240,
        ),
        (4, "one_infusion", "At least two infusions at most 60 days apart in the ACLF episode", 582, 96, 486, 71, 702),
        (5, "malignancy", "No malignancy before the first infusion", 486, 11, 475, 6, 33),
        (6, "hcv", "No HCV infection", 475, 0, 475, 0, 0),
        (
            7,
            "renal_dysfunction",
            "No marked renal dysfunction before the onset of ACLF and no renal replacement before the first infusion",
            475,
            29,
            446,
            18,
            77,
        ),
    ]
    names = ["step", "criterion", "says", "entering", "leaving", "left", "failing_alone", "failing_any"]
    return pl.DataFrame(rows, schema=names, orient="row")


def study() -> Study:
    labels = {
        "age_years": ("Age", "a"),
        "he_any": ("Encephalopathy", None),
        "inr": ("INR", "1"),
        "nlr": ("NLR", "1"),
        "creatinine": ("Creatinine", "umol/L"),
        "sodium": ("Sodium", "mmol/L"),
        "cirrhosis": ("Cirrhosis", None),
        "bilirubin_total": ("Total bilirubin", "umol/L"),
        "sex": ("Sex", None),
        "meld": ("MELD", None),
    }
    return Study.model_validate(
        {
            "id": "nct07198854",
            "title": "Prognostic factors in patients with HBV-related ACLF treated with mesenchymal stromal cells",
            "registry": "NCT07198854",
            "source": "his",
            "as_of": date(2019, 10, 31),
            "time_zero": "The day of the second infusion, on which eligibility is complete.",
            "parameters": {
                "min_infusions": {
                    "value": 2,
                    "says": "Infusions of one course",
                    "because": "Registry",
                    "sensitivity": [1],
                }
            },
            "baseline": {
                "inr": {
                    "says": "INR",
                    "analyte": "inr",
                    "table": "labs",
                    "days_before": 3,
                    "days_after": 0,
                    "pick": "nearest",
                }
            },
            "eligibility": [{"id": "adult", "says": "Adult", "keep": "age_years >= 18", "because": "Registry"}],
            "endpoints": {
                "death_168d": {
                    "says": "Death from any cause within 24 weeks",
                    "horizon_days": 168,
                    "event": "death",
                    "competing": ["transplant"],
                    "primary": True,
                },
                "death_336d": {
                    "says": "Death from any cause within 48 weeks",
                    "horizon_days": 336,
                    "event": "death",
                    "competing": ["transplant"],
                },
            },
            "covariates": {
                name: {"label": label, "says": label} | ({"unit": unit} if unit else {})
                for name, (label, unit) in labels.items()
            },
        }
    )


def results(**rows: tuple[float | None, float | None, float | None, int, int]) -> pl.DataFrame:
    lines = [(key.replace("__", ":"), *values, "method of the sample") for key, values in rows.items()]
    types = {
        "key": pl.String,
        "estimate": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "n": pl.Int64,
        "events": pl.Int64,
        "method": pl.String,
    }
    return pl.DataFrame(lines, schema=types, orient="row")


@cache
def plan() -> tuple[Analysed, ...]:
    people = patients()
    everybody = [(days, event) for days, event, _ in people]
    arms = {name: [(d, e) for d, e, c in people if c is flag] for name, flag in (("false", False), ("true", True))}
    by_arm = pl.concat(kaplan_meier(rows, name) for name, rows in arms.items())
    deaths = sum(event == "death" for _, event in everybody)

    def spec(name: str, kind: str, says: str, endpoint: str = "death_336d", **more: object) -> Analysis:
        stanza = {"id": name, "kind": kind, "says": says, "endpoint": endpoint, "because": "Stated before looking."}
        return read_stanza(stanza | more)

    test = pl.DataFrame(
        {
            "group": ["cirrhosis"],
            "statistic": [9.81],
            "df": [1],
            "p": [0.00174],
            "n": [446],
            "events": [deaths],
            "n_missing": [0],
        }
    )
    cox = {"covariates": coefficients()["term"].to_list()}
    competing = "Observation ends at transplant, which competes with death: this is the cause-specific hazard."
    return (
        Analysed(
            spec(
                "table_one", "table_one", "The cohort at time zero, by what became of the patient", covariates=["inr"]
            ),
            table_one(),
        ),
        Analysed(
            spec("km_overall", "kaplan_meier", "Survival from the second infusion", horizons=HORIZONS),
            kaplan_meier(everybody, "all"),
            results(median_days=(None, 301.0, None, 446, deaths)),
            {"risk": risk(everybody, "all")},
            (competing,),
        ),
        Analysed(
            spec("km_by_cirrhosis", "kaplan_meier", "Survival by cirrhosis", group="cirrhosis", horizons=HORIZONS),
            by_arm,
            results(),
            {"risk": pl.concat(risk(rows, name) for name, rows in arms.items())},
            (competing,),
        ),
        Analysed(
            spec("logrank_cirrhosis", "logrank", "Survival with and without cirrhosis", group="cirrhosis"),
            test,
            results(),
            {"curves": by_arm},
        ),
        Analysed(
            spec("cif", "cumulative_incidence", "Death and transplant as competing events", horizons=HORIZONS),
            incidence(everybody),
        ),
        Analysed(
            spec("cox_primary", "cox", "Pre-specified predictors of death", "death_168d", **cox),
            coefficients(),
            results(concordance=(0.724, None, None, 431, 141), events_per_df=(17.6, None, None, 431, 141)),
            {},
            (competing, "15 of 446 patients lack a covariate and are not in this model."),
        ),
        Analysed(
            spec("cox_small", "cox", "Predictors of transplant", **cox), reason="A model needs events; there is 1."
        ),
    )


def study_context(**changes: object) -> StudyContext:
    values: dict[str, object] = {
        "study": study(),
        "source": "his",
        "as_of": date(2019, 10, 31),
        "protocol_digest": "3f9c2a7be0d1",
        "data_digest": "77e0b1c44a02",
        "attrition": attrition(),
        "analyses": plan(),
        "missingness": pl.DataFrame(
            [("inr", 446, 12), ("nlr", 446, 31), ("meld", 446, 220)], schema=["variable", "n", "missing"], orient="row"
        ),
        "synthetic": True,
    }
    return StudyContext(**(values | changes))  # type: ignore[arg-type]


def protocol() -> Protocol:
    return Protocol(
        analytes={
            "bilirubin_total": Analyte(
                id="bilirubin_total",
                says="Total bilirubin, serum or plasma",
                unit="umol/L",
                accepts={"mg/dL": 17.104},
                limits=(1, 1000),
                worst="high",
                loinc=("14631-6", "1975-2"),
                because="Molar mass 584.66 g/mol.",
            ),
        },
        definitions={
            "aclf_apasl": Definition(
                id="aclf_apasl",
                says="ACLF by APASL",
                because="Sarin 2019 (10.1007/s12072-019-09946-3)",
                cutoffs={"bilirubin_min_umol_l": 85, "inr_min": 1.5},
            )
        },
        rules={rule.id: rule for rule in rules()},
        waivers=(),
        codelists={"hbv": (Code(system="ICD-10", code="B18.1", label="慢性乙型病毒性肝炎", match="prefix"),)},
        study=study(),
        analysis=tuple(analysed.spec for analysed in plan()),
        digest="3f9c2a7be0d1",
    )
