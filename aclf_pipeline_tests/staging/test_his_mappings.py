"""The mapping files of source his, and the shape of what its queries give."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol.units import is_ucum
from aclf_pipeline_tests.staging.hospital import HIS, Hospital, mapping_files, query, source
from aclf_pipeline_tests.staging.hospital import KINDS as STAGED

KEYS = {
    "lab_codes": ("code", "name", "unit", "specimen"),
    "units": ("unit_text",),
    "result_words": ("text",),
    "list_words": ("item", "text"),
    "drugs": ("prefix",),
    "mojibake": ("used_for", "garbled"),
    "procedure_words": ("used_for", "text"),
    "assays": ("code", "instrument", "valid_from"),
}


def rows_of(name: str) -> list[dict[str, str]]:
    with (HIS / f"his__{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def mod_10(digits: str) -> int:
    """Check digit of LOINC: Luhn's, as LOINC Users' Guide, Appendix C."""
    total = sum(
        sum(divmod(int(digit) * 2, 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return -total % 10


def test_every_mapping_file_is_known_here() -> None:
    assert {path.stem.removeprefix("his__") for path in mapping_files()} == set(KEYS)


@pytest.mark.parametrize("name", sorted(KEYS))
def test_no_key_stands_twice(name: str) -> None:
    keys = Counter(tuple(row[column] for column in KEYS[name]) for row in rows_of(name))
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_row_names_its_author(name: str) -> None:
    assert {row["author"] for row in rows_of(name)} == {"proposal"}


def test_every_loinc_has_its_check_digit() -> None:
    codes = {row["loinc"] for row in rows_of("lab_codes")}
    wrong = []
    for code in sorted(codes):
        if code.startswith("local:"):
            continue
        digits, _, check = code.partition("-")
        if mod_10(digits) != int(check):
            wrong.append(code)
    assert wrong == []
    assert mod_10("14628") != 0, "14628-0 is a misprint that circulates; the check must be able to fail"


def test_blood_and_other_materials_never_share_a_code() -> None:
    rows = rows_of("lab_codes")
    blood = {row["loinc"] for row in rows if row["specimen"] == "blood"}
    assert blood.isdisjoint(row["loinc"] for row in rows if row["specimen"] != "blood")


def test_every_unit_is_ucum_and_in_use_by_an_item() -> None:
    spelt = {row["unit"] for row in rows_of("units")}
    used = {row["unit"] for row in rows_of("lab_codes") if row["unit"]}
    assert [unit for unit in sorted(spelt | used) if not is_ucum(unit)] == []
    assert used <= spelt, "an item in a unit that no spelling gives can never be met"


def test_every_item_is_met_without_a_unit_too() -> None:
    """A missing unit must not make the item unknown: the unit is then for the rules to find."""
    rows = rows_of("lab_codes")
    with_unit = {(row["code"], row["name"], row["specimen"]) for row in rows}
    without = {(row["code"], row["name"], row["specimen"]) for row in rows if not row["unit"]}
    assert with_unit == without


def test_every_name_that_was_garbled_is_a_name_in_use() -> None:
    known = {row["name"] for row in rows_of("lab_codes")} | {row["prefix"] for row in rows_of("drugs")}
    assert {row["term"] for row in rows_of("mojibake")} <= known


def test_every_kind_is_staged_and_none_is_absent() -> None:
    assert set(STAGED) == set(KINDS)
    assert source().absent == {}


@pytest.mark.parametrize("kind", STAGED)
def test_a_query_gives_the_columns_of_its_contract(kind: str) -> None:
    frame = Hospital().stage(kind)
    promised = [(name, str(spec.dtype)) for name, spec in KINDS[kind].to_schema().columns.items()]
    assert [(name, str(dtype)) for name, dtype in frame.schema.items()] == promised


@pytest.mark.parametrize("kind", STAGED)
def test_a_query_begins_with_its_grain(kind: str) -> None:
    comment = [line for line in query(kind).splitlines() if line.startswith("--")]
    assert query(kind).startswith("-- ")
    assert any(line.startswith("-- one row per ") for line in comment)


def test_the_front_page_has_its_79_and_99_columns() -> None:
    files = source().files
    assert (len(files["front_page_2001"].columns), len(files["front_page_2011"].columns)) == (79, 99)


def test_no_column_of_a_name_a_telephone_or_an_address_is_stored_in_clear() -> None:
    hidden = {"姓名", "XM", "SFZH", "身份证号", "BAH", "病案号"}
    gone = {"HKDZ", "XZZ", "DH", "DH2", "LXRXM", "SKU", "联系电话", "联系人", "ZYYS", "开立医师", "医师", "记录者"}
    for form in source().files.values():
        for column in form.columns:
            assert column.name not in hidden or column.phi == "K", column.name
            assert column.name not in gone or column.phi == "D", column.name


def test_units_of_the_protocol_cover_those_of_the_source() -> None:
    page = Path(__file__).resolve().parents[2] / "aclf_pipeline" / "protocol" / "analytes.yaml"
    if not page.exists():
        pytest.skip("the protocol has no page of analytes")
    from aclf_pipeline.protocol import load_protocol

    analytes = load_protocol(page.parent, "nct07198854").analytes
    missing = []
    for row in rows_of("lab_codes"):
        if not row["analyte"]:
            continue
        analyte = analytes.get(row["analyte"])
        unit = row["unit_meant"] or row["unit"]
        if (
            analyte is None
            or row["loinc"] not in analyte.loinc
            or (unit and unit not in {analyte.unit, *analyte.accepts})
        ):
            missing.append((row["code"], row["name"], row["unit"], row["loinc"], row["analyte"]))
    assert missing == []
