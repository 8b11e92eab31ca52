"""The data dictionary: everything promised is there, once, and nothing else."""

from __future__ import annotations

import pytest

from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.protocol import Rule
from aclf_pipeline.reports import dictionary
from aclf_pipeline_tests.reports import sample
from aclf_pipeline_tests.reports.reading import read

TABLES = [dictionary.table_info(name, contract) for name, contract in KINDS.items()]


def page_of(tables: list[dictionary.TableInfo] | None = None, **changes: object) -> str:
    protocol = sample.protocol().model_copy(update=changes)
    return dictionary.page(protocol, TABLES if tables is None else tables, source="his", audits=sample.AUDITS)


def text_of(html: str) -> str:
    return " ".join(read(html).text.split())


@pytest.mark.parametrize("kind", KINDS)
def test_every_promised_column_is_described(kind: str) -> None:
    html = page_of()
    part = html.split(f'id="table-{kind}"')[1].split("</table>")[0]
    text = text_of(part)
    for column in promises(KINDS[kind]):
        assert f"<code>{column.name}</code>" in part
        assert column.says.replace("`", "") in text
        assert not column.within or ", ".join(column.within) in text


def test_a_column_names_the_conditions_it_is_held_to() -> None:
    part = page_of().split('id="table-stays"')[1].split("</table>")[0]
    assert 'href="#rule-stays_age_possible"' in part
    assert "age_years_stated between 0 and 120" in text_of(part)


def test_an_analyte_shows_unit_factor_limits_codes_and_reason() -> None:
    text = text_of(page_of())
    for said in ("umol/L", "mg/dL × 17.104", "1 to 1,000", "14631-6, 1975-2", "Molar mass 584.66 g/mol."):
        assert said in text


def test_an_unverified_analyte_says_so() -> None:
    analyte = sample.protocol().analytes["bilirubin_total"].model_copy(update={"unverified": True})
    assert "Unverified. Molar mass" in text_of(page_of(analytes={"bilirubin_total": analyte}))


def test_rules_definitions_codes_and_study_choices_are_there() -> None:
    text = text_of(page_of())
    for said in ("labs_unit_mapped", "bilirubin_min_umol_l", "慢性乙型病毒性肝炎", "Infusions of one course",
                 "Total bilirubin, serum or plasma", "select l._row_id"):  # fmt: skip
        assert said in text


def test_a_rule_of_another_source_is_left_out() -> None:
    other = {name: rule.model_copy(update={"sources": ("clif",)}) for name, rule in sample.protocol().rules.items()}
    html = page_of(rules=other)
    assert "labs_unit_mapped" not in html
    assert "The protocol has no rule for his." in html


def test_an_absent_table_says_why() -> None:
    absent = dictionary.table_info("deaths", KINDS["deaths"], absent="The source keeps no notices of death.")
    assert "Not delivered by his: The source keeps no notices of death." in text_of(page_of([absent]))


def test_an_empty_protocol_is_said_in_sentences() -> None:
    text = text_of(page_of([], analytes={}, definitions={}, rules={}, codelists={}))
    for sentence in (
        "the protocol has no analyte.",
        "the protocol has no definition.",
        "the protocol has no codelist.",
    ):
        assert sentence in text


def test_hostile_words_stay_text_and_the_page_has_one_script_of_its_own() -> None:
    attack = "</script><script>alert(1)</script>"
    rule = Rule(id="bad", table="labs", says=attack, holds="value > 0", category="plausibility", action="flag",
                because=attack, fix=attack)  # fmt: skip
    html = page_of(rules={"bad": rule})
    assert html.count("<script>") == 1
    assert "alert(1)" in read(html).text
