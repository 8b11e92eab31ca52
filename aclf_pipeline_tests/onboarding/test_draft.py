"""A folder nobody has described: what is guessed of it, that the draft is refused, and what finishing it takes."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aclf_pipeline.cli import app
from aclf_pipeline.errors import UserError
from aclf_pipeline.onboarding.codes import Finder, read_unit
from aclf_pipeline.onboarding.columns import profiles
from aclf_pipeline.onboarding.draft import look_at, new_source
from aclf_pipeline.onboarding.files import files_in
from aclf_pipeline.protocol import Protocol, load_protocol
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse import Warehouse
from aclf_pipeline.warehouse.drafts import unfinished
from aclf_pipeline.warehouse.graph import build, load_graph, load_mappings
from aclf_pipeline.warehouse.ingest import ingest
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline.warehouse.sources import SourceError, load_source

LABS = """Patient No;Patient Name;Mobile;Item Code;Item Name;Result;Units;Sample Type;Collected At;Report Time
A0001;Ann Example;13800138000;TB;Total bilirubin;12.5;μmol/L;serum;2015-03-02 08:00:00;2015-03-02 11:00:00
A0001;Ann Example;13800138000;CR;Creatinine;<18;umol/L;serum;2015-03-02 08:00:00;2015-03-02 11:00:00
A0002;Bob Example;13900139000;CR;Creatinine;1.2;mg/dl;serum;2015-03-03 08:00:00;2015-03-03 11:00:00
A0002;Bob Example;13900139000;ZZ;Mystery factor;positive;;serum;2015-03-03 08:00:00;2015-03-03 11:00:00
"""


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol(Settings().protocol, "nct07198854")


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """Laboratory results separated by semicolons, in a dated folder; a note beside them in an unreadable encoding."""
    batch = tmp_path / "unknown" / "20200101"
    batch.mkdir(parents=True)
    (batch / "lis_2015.csv").write_text(LABS, "utf-8")
    (batch / "note.txt").write_bytes("姓名,電話,備註\n".encode("utf-16-be") + b"\xff\xff\xfe")
    (batch / "numbers.csv").write_text("1,2,3\n4,5,6\n", "utf-8")
    return batch.parent


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The house's SQL, in a place of the test's own."""
    shutil.copytree(Settings().sql, tmp_path / "sql")
    return tmp_path / "sql" / "staging"


def finish(folder: Path) -> None:
    """What a person does who agrees with every guess: takes the marks away and signs the mappings."""
    for path in folder.iterdir():
        text = path.read_text("utf-8")
        if path.suffix == ".yaml":
            kept = [line for line in text.splitlines() if not line.startswith("draft:")]
            text = "\n".join(re.sub(r"DRAFT: ?", "", line) for line in kept)
        elif path.suffix == ".sql":
            text = text.replace("DRAFT: ", "")
        elif path.suffix == ".csv":
            text = re.sub(r",draft$", ",a reviewer", text, flags=re.MULTILINE)
        path.write_text(text, "utf-8")


def test_a_delimiter_a_header_and_what_cannot_be_read_are_told(exports, protocol):
    draft = look_at("lis", exports, protocol)
    (form,) = draft.forms
    assert (form.files[0].delimiter, form.rows, [kind.kind for kind in form.kinds]) == (";", 4, ["labs"])
    reasons = {unread.path.rsplit("/")[-1]: unread.reason for unread in draft.unread}
    assert set(reasons) == {"note.txt", "numbers.csv"}
    assert "numbers only" in reasons["numbers.csv"]


def test_a_file_that_only_seems_to_be_gb18030_is_not_taken_for_it(tmp_path):
    text = "姓名,病歷號,檢驗項目,結果,單位\n王小明,0001,總膽紅素,12,毫克\n陳大文,0002,肌酸酐,80,微莫耳\n" * 5
    (tmp_path / "big5.csv").write_bytes(text.encode("big5"))
    simplified = "姓名,病历号,检验项目,结果,单位\n王小明,0001,总胆红素,12,毫克\n陈大文,0002,肌酐,80,微摩尔\n" * 5
    (tmp_path / "gb.csv").write_bytes(simplified.encode("gb18030"))
    big5, gb = files_in(tmp_path)
    assert text.encode("big5").decode("gb18030"), "the strict decoder takes it"
    assert "read like big5" in big5.reason
    assert gb.evidence[0] == "all of it decodes as gb18030"


def test_names_and_numbers_are_proposed_as_identifying_and_appear_nowhere(exports, sources, protocol):
    folder, draft = new_source("lis", exports, sources, protocol)
    told = {column.name: (column.phi, column.as_) for column in draft.forms[0].columns}
    assert told["Patient No"] == ("K", "record_number")
    assert told["Patient Name"] == ("K", "name")
    assert told["Mobile"] == ("D", None)
    for path in folder.iterdir():
        assert not re.search(r"Ann|Bob|A000|13[89]00", path.read_text("utf-8")), path.name


def test_what_could_not_be_matched_is_listed(exports, sources, protocol):
    folder, draft = new_source("lis", exports, sources, protocol)
    (mappings,) = draft.mappings.values()
    assert {(one.code, one.analyte) for one in mappings.codes} == {
        ("TB", "bilirubin_total"), ("CR", "creatinine"), ("ZZ", None),
    }  # fmt: skip
    assert mappings.covered == (0.75, 1.0)
    page = (folder / "draft.md").read_text("utf-8")
    assert "| ZZ | Mystery factor |  | 1 | 25.00% |" in page
    assert "Kinds no file seems to hold: patients, stays" in page


def test_a_draft_is_refused_by_every_door_and_makes_no_warehouse(exports, sources, protocol, tmp_path, monkeypatch):
    folder, _ = new_source("lis", exports, sources, protocol)
    with pytest.raises(SourceError, match="is a draft that nobody has finished") as refused:
        load_source(folder)
    assert any("source.yaml still says 'draft: true'" in problem for problem in refused.value.problems)
    assert any("lis__lab_codes.csv still has 4 rows whose author is 'draft'" in p for p in refused.value.problems)
    monkeypatch.setenv("ACLF_SQL", str(sources.parent))
    for command in ("doctor", "refresh"):
        home = tmp_path / "home"
        done = CliRunner().invoke(app, [command, "--source", "lis", "--home", str(home), "--exports", str(exports)])
        assert done.exit_code == 2, done.output
        assert "draft" in done.output + done.stderr
        assert "Traceback" not in done.output + done.stderr
        assert not (home / "warehouse").exists()


@pytest.mark.parametrize("left", ["source.yaml", "lis__labs.sql", "lis__units.csv"])
def test_one_file_that_was_forgotten_is_enough_to_refuse(exports, sources, protocol, left):
    folder, _ = new_source("lis", exports, sources, protocol)
    kept = (folder / left).read_text("utf-8")
    finish(folder)
    assert unfinished(folder) == []
    (folder / left).write_text(kept, "utf-8")
    assert unfinished(folder)
    assert all(problem.startswith(left) for problem in unfinished(folder))


def test_a_finished_draft_takes_the_file_in(exports, sources, protocol, tmp_path):
    """Where every guess is right, a person has to read and sign: then the rows arrive, with codes and units."""
    folder, _ = new_source("lis", exports, sources, protocol)
    finish(folder)
    source = load_source(folder)
    models = {model.table: model for model in load_graph(sources.parent, "lis", "nct07198854")}
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        load_rules(wh, protocol)
        load_mappings(wh, sources.parent, "lis")
        report = ingest(
            wh, source, exports, PseudonymKey.load(tmp_path / "key"), datetime(2020, 1, 2, tzinfo=UTC), None
        )
        assert report.rows_loaded == 4
        build(wh, models["staging.labs"])
        rows = wh.rows(
            "select source_code, loinc, operator, value, unit, specimen, cast(collected_at as varchar), unparsed"
            " from staging.labs order by _row_id"
        )
    assert rows == [
        ("TB", "14631-6", "=", 12.5, "umol/L", "serum", "2015-03-02 08:00:00", None),
        ("CR", "14682-9", "<", 18.0, "umol/L", "serum", "2015-03-02 08:00:00", None),
        ("CR", "2160-0", "=", 1.2, "mg/dL", "serum", "2015-03-03 08:00:00", None),
        ("ZZ", None, None, None, None, "serum", "2015-03-03 08:00:00", "value"),
    ]


def test_an_existing_folder_is_never_written_to(exports, sources, protocol):
    before = {path.name: path.read_bytes() for path in (sources / "clif").iterdir()}
    with pytest.raises(UserError, match="is there already and is not written over"):
        new_source("clif", exports, sources, protocol)
    assert {path.name: path.read_bytes() for path in (sources / "clif").iterdir()} == before


@pytest.mark.parametrize(
    ("name", "folder", "says"),
    [("New Source", ".", "cannot be a name"), ("lis", "nowhere", "is not a folder"), ("lis", "empty", "no file")],
)
def test_what_cannot_be_drafted_is_said_and_nothing_is_left(tmp_path, protocol, name, folder, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=says):
        new_source(name, tmp_path / folder, tmp_path / "sources", protocol)
    assert not (tmp_path / "sources").exists()


def test_the_command_says_where_the_draft_is_and_how_much_is_covered(exports, tmp_path):
    done = CliRunner().invoke(app, ["source", "new", "lis", "--from", str(exports), "--into", str(tmp_path / "s")])
    assert done.exit_code == 0, done.output
    assert "3 of 4 have a candidate, 75.0% of the rows; units 100.0%" in done.output
    assert "It is refused until a person has finished it" in done.output
    assert (tmp_path / "s" / "lis" / "source.yaml").is_file()


def test_identity_is_seen_in_cells_where_the_header_says_nothing(tmp_path):
    """Thirty invented persons; `a` telephones, `b` names, `c` id numbers with a right check character, `d` codes."""
    from aclf_pipeline.warehouse.privacy import check_character

    surnames, given = "王李张刘陈杨黄赵吴周", "伟芳娜秀英敏静丽强磊"
    rows = ["a,b,c,d,e"]
    for i in range(30):
        number = f"990101{1950 + i}0101{i:03d}"
        name = surnames[i % 10] + given[i // 10] + given[(i * 3) % 10]
        rows.append(f"138{i:08d},{name},{number}{check_character(number)},x,{number[:6]}{i:04d}-{i}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (file,) = files_in(tmp_path)
    told = {one.name: (one.phi, one.as_) for one in profiles([file.rows])}
    assert told == {"a": ("D", None), "b": ("K", "name"), "c": ("K", "national_id"), "d": ("-", None), "e": ("D", None)}


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("μmol/L", "umol/L"), ("µmol/l", "umol/L"), ("×10^9/L", "10*9/L"), ("10E9/L", "10*9/L"), ("*10^9/L", "10*9/L"),
        ("IU/L", "[IU]/L"), ("mIU/mL", "m[IU]/mL"), ("mEq/L", "meq/L"), ("mmHg", "mm[Hg]"), ("sec", "s"),
        ("u/L", "U/L"), ("mg/dl", "mg/dL"), ("ng/mL FEU", "ng/mL{FEU}"), ("S/CO", "{S_CO}"), ("℃", "Cel"),
        ("10^3/µL", "10*3/uL"), ("K/uL", "10*3/uL"), ("blobs", None), ("", None), ("G/L", "g/L"),
    ],
)  # fmt: skip
def test_spellings_of_units(text, unit):
    assert read_unit(text)[0] == unit


def test_a_letter_that_means_two_units_is_read_by_the_analyte(protocol):
    assert read_unit("G/L", protocol.analytes["platelets"])[0] == "10*9/L"
    assert read_unit("G/L", protocol.analytes["albumin"])[0] == "g/L"


@pytest.mark.parametrize(
    ("code", "name", "analyte", "why"),
    [
        ("PCT", "降钙素原", "procalcitonin", "alias"), ("PCT", "血小板压积", "plateletcrit", "alias"),
        ("X1", "总胆红素", "bilirubin_total", "the name is an alias"), ("TBIL", "", "bilirubin_total", "the code"),
        ("X", "Aminotransferase, alanine", "alt", "same words"), ("X", "no such thing", None, "no analyte"),
        ("2160-0", "", "creatinine", "LOINC"),
    ],
)  # fmt: skip
def test_an_analyte_is_found_by_loinc_name_and_code_in_this_order(protocol, code, name, analyte, why):
    found, because = Finder(protocol.analytes).find(code, name)
    assert (found.id if found else None) == analyte
    assert why in because
