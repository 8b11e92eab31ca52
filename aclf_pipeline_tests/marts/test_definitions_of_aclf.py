"""The definitions of ACLF and of acute kidney injury in SQL: at their limits, with what is missing, as in science."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import aclf_pipeline
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.science.organ_failure import OrganFailureCutoffs, OrganValues, easl_clif_grade, organ_subscores
from aclf_pipeline_tests.marts.world import ANALYTES, ORGANS, STUDY, World

PAGES = Path(aclf_pipeline.__file__).parent / "protocol"
AT = "2014-03-02 06:00"
CUTOFFS = OrganFailureCutoffs(**ORGANS)  # type: ignore[arg-type]


def admitted(world: World, patient: str) -> str:
    world.patient(patient)
    stay = world.stay(patient, "2014-03-01 10:00", "2014-03-31 10:00")
    world.add("infusions", patient_id=patient, infused_on="2014-03-05")
    return stay


def numbered(table: str) -> list[tuple[str, str]]:
    """The lines of a drawn table, each with a patient of its own."""
    return [(f"R{number:02d}", line) for number, line in enumerate(table.rstrip().strip("\n").splitlines()[1:])]


def columns(world: World, *names: str) -> dict[str, tuple[Any, ...]]:
    """The named columns of every candidate."""
    found = world.build("marts.candidates").select("candidate_id", *names)
    return {row[0]: row[1:] for row in found.rows()}


def candidate(world: World) -> dict[str, Any]:
    return world.build("marts.candidates").row(0, named=True)


def test_organ_failures_in_sql_are_those_of_science() -> None:
    """Each organ at its limits and unmeasured, in changing company: two implementations that must not drift apart."""
    mg = {name: ANALYTES[name][3]["mg/dL"] for name in ("bilirubin_total", "creatinine")}
    ladder = {
        "bilirubin": (5.9, 6.0, 11.9, 12.0, None),
        "creatinine": (1.4, 1.5, 2.0, 3.5, None),
        "inr": (1.9, 2.0, 2.5, None),
        "he_grade": (0, 1, 3, None),
        "map": (70, 69, None),
        "spo2": (99, 64, 40, None),
        "dialysis": (0, 1),
        "vasopressor": (0, 1),
    }
    drawn = list(product(*ladder.values()))
    rng = np.random.default_rng(20)
    rows = [dict(zip(ladder, drawn[i], strict=True)) for i in rng.choice(len(drawn), 400, replace=False)]
    world = World()
    for number, row in enumerate(rows):
        patient = f"R{number:04d}"
        admitted(world, patient)
        for analyte, key, factor in (
            ("bilirubin_total", "bilirubin", mg["bilirubin_total"]),
            ("creatinine", "creatinine", mg["creatinine"]),
            ("inr", "inr", 1.0),
        ):
            if row[key] is not None:
                world.lab(patient, analyte, AT, row[key] * factor)
        if row["he_grade"] is not None:
            world.assessed(patient, "he_grade", AT, None, value=float(row["he_grade"]))
        for item in ("map", "spo2"):
            if row[item] is not None:
                world.add("vitals", patient_id=patient, measured_at=AT, item=item, value=float(row[item]))
        world.add("vitals", patient_id=patient, measured_at=AT, item="fio2", value=0.2, unit="1")
        if row["dialysis"]:
            world.add("procedures", patient_id=patient, category="renal_replacement", started_at=AT)
        if row["vasopressor"]:
            world.add("medications", patient_id=patient, drug_class="vasopressor", executed_at=AT)
    known = {key: np.array([np.nan if row[key] is None else row[key] for row in rows], float) for key in ladder}
    values = OrganValues(**known, fio2=0.2)
    low, high = easl_clif_grade(values, CUTOFFS)
    found = world.build("intermediate.organ_evidence").sort("candidate_id")
    assert found["grade_low"].to_list() == low.tolist()
    assert found["grade_high"].to_list() == high.tolist()
    for organ, (lowest, highest) in organ_subscores(values, CUTOFFS).items():
        assert found[f"{organ}_low"].to_list() == lowest.tolist(), organ
        assert found[f"{organ}_high"].to_list() == highest.tolist(), organ
    assert {(0, 0), (1, 1), (1, 3), (3, 3)} <= set(zip(found["grade_low"], found["grade_high"], strict=True))


def test_a_blood_gas_stands_before_the_oximeter_and_counts_over_the_oxygen_given_then() -> None:
    world = World()
    admitted(world, "R1")
    world.add("vitals", patient_id="R1", measured_at="2014-03-02 05:00", item="fio2", value=0.5, unit="1")
    world.add("vitals", patient_id="R1", measured_at="2014-03-02 07:00", item="fio2", value=0.2, unit="1")
    world.add("vitals", patient_id="R1", measured_at=AT, item="spo2", value=98.0)
    world.lab("R1", "pao2", AT, 90.0)
    row = world.build("intermediate.organ_evidence").row(0, named=True)
    assert (row["pf_min"], row["respiratory_low"], row["respiratory_high"]) == (180, 3, 3)


def test_organ_support_is_unknown_where_the_source_has_no_such_records() -> None:
    world = World()
    admitted(world, "R1")
    world.lab("R1", "creatinine", AT, 60.0)
    world.absent = {"procedures": "none", "medications": "none"}
    row = world.build("intermediate.organ_evidence").row(0, named=True)
    assert (row["kidney_low"], row["kidney_high"], row["circulation_high"]) == (1, 3, 3)


CIRRHOSIS = """
    coded  answered       | known
    yes    none           | yes
    no     decompensated  | yes
    no     no             | no
    yes    no             | yes
    other  none           | no
    no     none           | unknown
"""


def test_easl_clif_asks_for_cirrhosis_and_works_as_the_definition_of_the_study() -> None:
    world, expected = World(), {}
    for patient, line in numbered(CIRRHOSIS):
        (coded, answered), (known,) = (half.split() for half in line.split("|"))
        stay = admitted(world, patient)
        if coded != "no":
            code = "K74.600" if coded == "yes" else "B18.103"
            world.add("diagnoses", patient_id=patient, stay_id=stay, code=code, label="x")
        if answered != "none":
            world.assessed(patient, "cirrhosis", AT, answered)
        world.lab(patient, "creatinine", AT, 2.1 * 88.42)
        wanted = {"yes": True, "no": False, "unknown": None}[known]
        expected[patient] = (wanted, wanted, 1)
    world.parameters["aclf_definition"] = "easl_clif"
    assert columns(world, "aclf_easl_clif", "aclf", "aclf_grade_low") == expected


def test_a_grade_that_a_missing_organ_leaves_open_decides_nothing() -> None:
    world = World()
    stay = admitted(world, "R1")
    world.add("diagnoses", patient_id="R1", stay_id=stay, code="K74.600", label="x")
    found = candidate(world)
    assert (found["aclf_easl_clif"], found["aclf_grade_low"], found["aclf_grade_high"]) == (None, 0, 3)


STAGES = """
    pta  he   ascites   hrs   | low high
    41   0    none      no    | -   -
    40   0    none      no    | 1   1
    30   0    none      no    | 2   2
    20   0    none      no    | 3   3
    35   1    mild      no    | 2   2
    35   0    moderate  no    | 2   2
    35   0    mild      no    | 1   1
    35   3    none      no    | 3   3
    30   0    none      yes   | 3   3
    35   0    none      yes   | 1   1
    35   ?    none      no    | 1   3
    35   0    ?         no    | 1   2
    35   0    ?         ?     | 1   3
    30   0    none      ?     | 2   3
    ?    0    none      no    | -   -
"""


def test_the_stage_of_the_chinese_guideline_is_what_is_proved_and_what_is_left_open() -> None:
    world, expected = World(), {}
    for patient, line in numbered(STAGES):
        (pta, he, ascites, hrs), stages = (half.split() for half in line.split("|"))
        admitted(world, patient)
        world.lab(patient, "bilirubin_total", AT, 300.0)
        if pta != "?":
            world.lab(patient, "pta", AT, float(pta))
        if he != "?":
            world.assessed(patient, "he_grade", AT, None, value=float(he))
        for item, code in (("ascites", ascites), ("hrs", hrs)):
            world.assessed(patient, item, AT, "unknown" if code == "?" else code)
        expected[patient] = tuple(None if x == "-" else int(x) for x in stages)
    assert columns(world, "aclf_stage_low", "aclf_stage_high") == expected


AKI = """
    creatinine by hours after admission       | stage
                                              | ?
    2:80                                      | ?
    2:80 30:80                                | 0
    2:80 30:106.4                             | 0
    2:80 30:106.5                             | 1
    2:80 60:106.5                             | 0
    2:80 60:120                               | 1
    2:80 150:161                              | 2
    2:80 150:160                              | 1
    2:80 150:241                              | 3
    2:80 4:80 170:300                         | 0
    2:80 170:300                              | ?
    2:340 30:360                              | 0
    2:340 30:370                              | 3
    -240:80 2:121                             | 1
    -240:80 -48:110 2:121                     | 0
    -2400:80 2:121                            | ?
    -20:80 2:107                              | 1
"""


def test_acute_kidney_injury_by_ica() -> None:
    world, expected = World(), {}
    for patient, line in numbered(AKI):
        values, stage = line.split("|")
        admitted(world, patient)
        for point in values.split():
            hours, value = point.split(":")
            at = np.datetime64("2014-03-01T10:00") + np.timedelta64(int(hours), "h")
            world.lab(patient, "creatinine", str(at).replace("T", " "), float(value))
        expected[patient] = (None if stage.strip() == "?" else int(stage),)
    assert columns(world, "aki_stage") == expected


def test_renal_replacement_is_stage_3_whatever_creatinine_says() -> None:
    world = World()
    admitted(world, "R1")
    world.add("procedures", patient_id="R1", category="renal_replacement", started_at="2014-03-03 10:00")
    assert candidate(world)["aki_stage"] == 3


def test_each_definition_has_a_line_in_the_facts_with_its_rows() -> None:
    world = World().eligible()
    facts = {row["variable"]: row for row in world.build("intermediate.facts").iter_rows(named=True)}
    assert (facts["aclf_apasl"]["value"], facts["aclf_cossh"]["value"], facts["aclf_easl_clif"]["value"]) == (1, 1, 0)
    assert len(facts["aclf_apasl"]["row_ids"]) == 4
    assert "highest INR 2.1" in facts["aclf_apasl"]["explanation"]
    assert "EASL-CLIF grade 0 to 3" in facts["aclf_grade_low"]["explanation"]


def test_hepatic_insufficiency_is_no_liver_failure() -> None:
    lists = load_protocol(PAGES, STUDY).codelists

    def holds(codelist: str, code: str, label: str) -> bool:
        tests = {
            "prefix": lambda c: code.startswith(c),
            "exact": lambda c: code == c,
            "text": lambda c: c in label,
        }
        return any(tests[c.match](c.code) for c in lists[codelist] if c.system == "ICD-10")

    assert holds("hepatic_insufficiency", "K72.905", "肝功能不全")
    assert not holds("liver_failure", "K72.905", "肝功能不全")
    assert holds("liver_failure", "K72.900", "肝衰竭")
    assert holds("liver_failure", "K72.905", "慢加急性肝衰竭")


def test_a_rise_by_the_limit_meets_it_in_spite_of_binary_noise() -> None:
    world = World()
    for patient, second in (("R1", 117.1), ("R2", 117.0)):
        admitted(world, patient)
        world.lab(patient, "bilirubin_total", "2014-03-02 06:00", 100.0)
        world.lab(patient, "bilirubin_total", "2014-03-03 06:00", second)
        world.lab(patient, "pta", AT, 38.0)
    assert 117.1 - 100.0 < 17.1
    assert columns(world, "aclf_cn_2012") == {"R1": (True,), "R2": (False,)}
