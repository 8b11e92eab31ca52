"""The four changes of the README, each made in a copy, touching exactly the file it names, and working."""

from __future__ import annotations

import hashlib
import shutil
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.assets.build import build_definitions
from aclf_pipeline.assets.house import House
from aclf_pipeline.contracts import KINDS, empty_frame
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.graph import absent_models, build, load_mappings
from aclf_pipeline.warehouse.ingest import ingest
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.rules_tables import load_rules

ROOT = Path(__file__).parent.parent.parent


class Copy:
    """A copy of the protocol and the SQL, with the fingerprints it began with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(
            ROOT / "aclf_pipeline" / "protocol",
            folder / "protocol",
            ignore=shutil.ignore_patterns("*.py", "__pycache__"),
        )
        shutil.copytree(ROOT / "sql", folder / "sql")
        self.before = self.fingerprints()

    def fingerprints(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.rglob("*")
            if path.is_file() and "home" not in path.relative_to(self.folder).parts
        }

    def touched(self) -> set[str]:
        now = self.fingerprints()
        return {name for name in now.keys() | self.before.keys() if now.get(name) != self.before.get(name)}

    def append(self, page: str, text: str) -> None:
        path = self.folder / page
        path.write_text(path.read_text("utf-8").rstrip("\n") + "\n" + text, "utf-8")

    def settings(self, **given) -> Settings:
        places = {"home": self.folder / "home", "protocol": self.folder / "protocol", "sql": self.folder / "sql"}
        return Settings(**{**places, **given})


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def lab(loinc: str, unit: str, value: float) -> pl.DataFrame:
    """One row of core.labs."""
    row = {
        "_row_id": 1, "patient_id": "R1", "specimen": "serum", "collected_at": datetime(2015, 3, 1, 8),
        "report_status": "final", "loinc": loinc, "operator": "=", "value": value, "unit": unit,
        "value_text": str(value),
    }  # fmt: skip
    return pl.concat([empty_frame(KINDS["labs"]), pl.DataFrame([row])], how="diagonal_relaxed")


def test_a_new_analyte_is_one_stanza_of_analytes_yaml(copy):
    copy.append(
        "protocol/analytes.yaml",
        """
zinc:
  says: Zinc, serum or plasma
  unit: umol/L
  accepts: {mmol/L: 1000}
  limits: [1, 100]
  worst: low
  loinc: [5763-8]
  because: A test of how an analyte is added
""",
    )
    house = House.load(copy.settings())
    with house.open() as wh:
        load_rules(wh, house.protocol)
        for kind in KINDS:
            wh.write(f"core.{kind}", empty_frame(KINDS[kind]))
        person = pl.DataFrame([{"_row_id": 2, "patient_id": "R1", "sex": "female"}])
        wh.write("core.patients", pl.concat([empty_frame(KINDS["patients"]), person], how="diagonal_relaxed"))
        wh.write("core.labs", lab("5763-8", "mmol/L", 0.012))
        for model in house.models:
            if model.table in ("intermediate.persons", "intermediate.treatments", "intermediate.labs"):
                build(wh, model)
        found = wh.rows("select analyte, unit, value from intermediate.labs")
    assert copy.touched() == {"protocol/analytes.yaml"}
    assert found == [("zinc", "umol/L", 12.0)]


def test_a_new_source_is_one_new_folder_of_staging(copy, tmp_path):
    folder = copy.folder / "sql" / "staging" / "toy"
    folder.mkdir()
    given = {"patients", "stays", "labs"}
    absent = "\n".join(f"  {kind}: the toy hospital has none" for kind in KINDS if kind not in given)
    (folder / "source.yaml").write_text(
        f"""
id: toy
says: A hospital of one table
batches: {{folder: '.*'}}
identifiers: {{record_number: {{}}}}
files:
  results:
    kind: results
    says: One row per result
    format: csv
    columns:
      - {{name: person, phi: K, as: record_number}}
      - {{name: taken}}
      - {{name: sodium}}
absent:
{absent}
""",
        "utf-8",
    )
    constants = {
        "patients": {"patient_id": "person", "person_id": "person", "sex": "'unknown'"},
        "stays": {
            "patient_id": "person", "stay_id": "person", "disposition": "'unknown'", "admitted_at": "taken",
            "discharged_at": "taken",
        },
        "labs": {
            "patient_id": "person", "specimen": "'serum'", "collected_at": "taken", "reported_at": "taken",
            "report_status": "'final'", "source_code": "'NA'", "source_name": "'sodium'", "loinc": "'2951-2'",
            "value_text": "sodium", "operator": "'='", "value": "sodium", "unit": "'mmol/L'", "specimen_id": "taken",
        },
    }  # fmt: skip
    for kind, known in constants.items():
        lines = [
            f"    cast({known.get(name, 'null')} as {sql_type(dtype)}) as {name}"
            for name, dtype in empty_frame(KINDS[kind]).schema.items()
            if name != "_row_id"
        ]
        (folder / f"toy__{kind}.sql").write_text(
            f"-- {kind} of the toy hospital.\n-- one row per result\nselect\n    _row_id,\n"
            + ",\n".join(lines)
            + "\nfrom raw.toy__results\n",
            "utf-8",
        )
    exports = tmp_path / "home" / "deliveries"
    (exports / "first").mkdir(parents=True)
    (exports / "first" / "results.csv").write_text("person,taken,sodium\n0000001,2015-03-01 08:00:00,137\n", "utf-8")
    house = House.load(copy.settings(source="toy", exports_dir=exports))
    with house.open() as wh:
        ingest(wh, house.source, house.exports, PseudonymKey.load(house.settings.key_file), datetime(2026, 1, 1))
        load_rules(wh, house.protocol)
        load_mappings(wh, house.settings.sql, "toy")
        for model in (*house.models, *absent_models(house.source)):
            if model.schema == "staging":
                build(wh, model, house.contract(model.table))
        report = run_gate(wh, house.protocol, house.audits, "first")
        assert not report.blocked, [check.sample for check in report.checks if check.blocking and not check.passed]
        found = wh.rows("select loinc, value, unit from core.labs")
    assert copy.touched() == {f"sql/staging/toy/{path.name}" for path in folder.iterdir()}
    assert found == [("2951-2", 137.0, "mmol/L")]


def sql_type(dtype: pl.DataType) -> str:
    names = {pl.String: "varchar", pl.Int64: "bigint", pl.Float64: "double", pl.Date: "date", pl.Boolean: "boolean"}
    return (
        "timestamp" if isinstance(dtype, pl.Datetime) else names[type(dtype) if not isinstance(dtype, type) else dtype]
    )


def test_a_new_check_is_one_stanza_of_rules_yaml(copy):
    copy.append(
        "protocol/rules.yaml",
        """
- id: labs_sodium_never_a_round_hundred
  table: labs
  says: A test of how a rule is added
  holds: loinc <> '2951-2' or value <> 100
  category: plausibility/atemporal
  action: flag
  tolerate: 0.0
  because: A test of how a rule is added
  fix: Nothing
""",
    )
    settings = copy.settings()
    checks = build_definitions(settings).resolve_asset_graph().asset_check_keys
    house = House.load(settings)
    with house.open() as wh:
        load_rules(wh, house.protocol)
        for kind in KINDS:
            wh.write(f"staging.{kind}", empty_frame(KINDS[kind]))
        wh.write("staging.labs", lab("2951-2", "mmol/L", 100.0))
        report = run_gate(wh, house.protocol, house.audits, "first")
    assert copy.touched() == {"protocol/rules.yaml"}
    assert "labs_sodium_never_a_round_hundred" in {check.name for check in checks}
    (judged,) = [check for check in report.checks if check.rule_id == "labs_sodium_never_a_round_hundred"]
    assert (judged.rows, judged.failing_rows, judged.passed) == (1, 1, False)


def test_a_new_model_of_a_known_kind_is_one_stanza_of_analysis_yaml(copy):
    copy.append(
        "protocol/studies/nct07198854/analysis.yaml",
        """
- id: km_by_infection
  kind: kaplan_meier
  says: Survival by infection at baseline
  endpoint: death_168d
  group: infection
  horizons: [28]
  because: A test of how a model is added
""",
    )
    keys = build_definitions(copy.settings()).resolve_asset_graph().get_all_asset_keys()
    assert copy.touched() == {"protocol/studies/nct07198854/analysis.yaml"}
    assert "analysis/km_by_infection" in {key.to_user_string() for key in keys}
