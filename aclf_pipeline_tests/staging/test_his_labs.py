"""Laboratory results of source his: raw cells in, canonical values out."""

from __future__ import annotations

from typing import Any

import pytest

from aclf_pipeline_tests.staging.hospital import Hospital

ALBUMIN = {
    "病案号": "R1",
    "项目代码": "ALB",
    "项目名称": "白蛋白",
    "单位": "g/L",
    "标本类型": "血清",
    "报告状态": "正式",
}

RESULTS = """
    text               | operator | value      | text_result      | receipt                | unparsed
    128.5              | =        | 128.5      |                  |                        |
    137                | =        | 137        |                  |                        |
    .5                 | =        | 0.5        |                  |                        |
    1.25E+07           | =        | 12500000   |                  |                        |
    １２８．５         | =        | 128.5      |                  | fullwidth              |
    ＜２０             | <        | 20         |                  | fullwidth,censored     |
    <500               | <        | 500        |                  | censored               |
    < 500              | <        | 500        |                  | censored               |
    ≤5                 | <=       | 5          |                  | censored               |
    ≥5                 | >=       | 5          |                  | censored               |
    >=5                | >=       | 5          |                  | censored               |
    >1.70E+08          | >        | 170000000  |                  | censored               |
    <5.00E+02          | <        | 500        |                  | censored               |
    <1.25×10^3         | <        | 1250       |                  | censored,decorated     |
    1.25*10^7          | =        | 12500000   |                  | decorated              |
    128.5↑             | =        | 128.5      |                  | decorated              |
    128.5 H            | =        | 128.5      |                  | decorated              |
    128.5LL            | =        | 128.5      |                  | decorated              |
    1,284.5            | =        | 1284.5     |                  | decorated              |
    38.5g/L            | =        | 38.5       |                  | decorated              |
    38.5g/L↓           | =        | 38.5       |                  | decorated              |
    未检出             | <        |            | not_detected     | censored               |
    低于检测下限       | <        |            | not_detected     | censored               |
    不凝               | >        |            | other_text       | above_limit            |
    溶血               |          |            | specimen_problem | text                   |
    标本不合格         |          |            | specimen_problem | text                   |
    ****               |          |            | other_text       | text                   |
    见报告             |          |            | see_report       | text                   |
    复查               |          |            | other_text       | text                   |
    弱阳性             |          |            | weakly_positive  | text                   |
    ±                  |          |            | indeterminate    | text                   |
    (-)                |          |            | negative         | text                   |
    （－）             |          |            | negative         | fullwidth,text         |
    阳性               |          |            | positive         | text                   |
    待确认             |          |            | pending          | text                   |
    AB                 |          |            | blood_group      | text                   |
    100-200            |          |            |                  |                        | value
    阴性-<400          |          |            |                  |                        | value
    1,28               |          |            |                  |                        | value
    1.2.3              |          |            |                  |                        | value
    128.5 mg/dL        |          |            |                  | decorated              | value
    abc                |          |            |                  |                        | value
    -                  |          |            |                  |                        |
    无数据             |          |            |                  |                        |
"""


def drawn(table: str) -> list[dict[str, str]]:
    """The rows of a table drawn in text, as strings; a blank cell is ''."""
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def labs(*rows: dict[str, str]) -> list[dict[str, Any]]:
    hospital = Hospital()
    hospital.deliver("lab_results", [{**ALBUMIN, **row} for row in rows])
    return hospital.stage("labs").to_dicts()


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    texts = [row["text"] for row in drawn(RESULTS)]
    return dict(zip(texts, labs(*({"结果": text} for text in texts)), strict=True))


@pytest.mark.parametrize("want", drawn(RESULTS), ids=lambda row: row["text"])
def test_results_are_read_by_the_grammar(results: dict[str, dict[str, Any]], want: dict[str, str]) -> None:
    got = results[want["text"]]
    assert got["value"] == (float(want["value"]) if want["value"] else None)
    for column in ("operator", "text_result", "receipt", "unparsed"):
        assert (got[column] or "") == want[column], column


ITEMS = """
    code   | name           | specimen | unit        | loinc                       | unit_out
    TBIL   | 总胆红素       | 血清     | μmol/L      | 14631-6                     | umol/L
    TBIL   | 总胆红素       | 血清     | µmol/L      | 14631-6                     | umol/L
    TBIL   | 总胆红素       | 血清     | mg/dL       | 1975-2                      | mg/dL
    TBIL   | 总胆红素       | 血清     |             | 14631-6                     |
    TBIL   | 总胆红素       | 血清     | g/L         |                             | g/L
    ALT    | 谷丙转氨酶     | 血清     | IU/L        | 1742-6                      | U/L
    HCG    | 人绒毛膜促性腺激素 | 血清 | IU/L        | 21198-7                     | [IU]/L
    PCT    | 血小板压积     | 全血     | %           | 51637-7                     | %
    PCT    | 降钙素原       | 血清     | ng/mL       | 33959-8                     | ng/mL
    PCT    | 降钙素原       | 血清     | %           |                             | %
    PROCT  | 降钙素原       | 血清     | ng/mL       | 33959-8                     | ng/mL
    PCT    | 别的           | 血清     | ng/mL       |                             | ng/mL
    HBSAG  | 乙肝表面抗原   | 血清     | COI         | 5196-1                      | {COI}
    HBSAG  | 乙肝表面抗原   | 血清     | IU/mL       | 63557-3                     | [IU]/mL
    HBVDNA | 乙肝病毒DNA定量 | 血清    | IU/mL       | 42595-9                     | [IU]/mL
    HBVDNA | 乙肝病毒DNA定量 | 血清    | copies/mL   | 29615-2                     | {copies}/mL
    UREA   | 尿素氮         | 血清     | mmol/L      | 14937-7                     | mmol/L
    UREA   | 尿素           | 血清     | mmol/L      | 22664-7                     | mmol/L
    WBC    | 白细胞计数     | 全血     | ×10^9/L     | 6690-2                      | 10*9/L
    WBC    | 白细胞计数     | 全血     | G/L         | 6690-2                      | 10*9/L
    ALB    | 白蛋白         | 腹水     | g/L         | 1749-1                      | g/L
    NEU%   | 中性粒细胞百分比 | 腹水   | %           | local:ascites-neutrophils-pct | %
    ALB    | 白蛋白         | 尿液     | g/L         | 1754-1                      | g/L
    TBIL   | 总胆红素       | 腹水     | μmol/L      |                             | umol/L
    INR    | 国际标准化比率 | 血浆     |             | 6301-6                      |
    T-BIL2 | 总胆红素(重氮法) | 血清   | μmol/L      |                             | umol/L
    TBIL   | 鎬昏儐绾㈢礌   | 血清     | μmol/L      | 14631-6                     | umol/L
    CREA   | ¼¡ôû           | 血清     | μmol/L      | 14682-9                     | umol/L
    DD     | D-二聚体       | 血浆     | ng/mL FEU   | 48065-7                     | ng/mL{FEU}
"""


@pytest.mark.parametrize("want", drawn(ITEMS), ids=lambda row: f"{row['code']} {row['name']} {row['unit']}")
def test_code_name_unit_and_material_give_the_loinc(want: dict[str, str]) -> None:
    [got] = labs(
        {
            "项目代码": want["code"],
            "项目名称": want["name"],
            "标本类型": want["specimen"],
            "单位": want["unit"],
            "结果": "1",
        }
    )
    assert (got["loinc"] or "") == want["loinc"]
    assert (got["unit"] or "") == want["unit_out"]
    assert got["unparsed"] is None


def test_a_name_of_an_earlier_year_and_a_mended_name_leave_a_receipt() -> None:
    earlier, mended = labs(
        {"项目代码": "ALT", "项目名称": "谷丙转氨酶", "单位": "U/L", "结果": "40"},
        {"项目代码": "CREA", "项目名称": "¼¡ôû", "单位": "μmol/L", "结果": "70"},
    )
    assert earlier["receipt"] == "renamed"
    assert (mended["receipt"], mended["source_name"]) == ("mojibake", "肌酐")


def test_a_unit_printed_in_the_result_stands_in_for_a_blank_one() -> None:
    [got] = labs({"单位": "-", "结果": "38.5g/L"})
    assert (got["unit"], got["unit_text"], got["receipt"]) == ("g/L", None, "decorated,unit_from_result")


@pytest.mark.parametrize(
    ("text", "value"), [("7.5210^9/L", 7.52), ("10710^9/L", 107), ("13510E9/L", 135), ("5.94×10^9/L↓", 5.94)]
)
def test_a_unit_that_begins_with_a_number_is_taken_off_first(text: str, value: float) -> None:
    [got] = labs({"项目代码": "WBC", "项目名称": "白细胞计数", "标本类型": "全血", "单位": "10^9/L", "结果": text})
    assert (got["value"], got["unit"], got["unparsed"]) == (value, "10*9/L", None)


def test_an_unknown_unit_and_an_unknown_material_are_named() -> None:
    unit, material = labs({"单位": "克", "结果": "38"}, {"标本类型": "胸水", "结果": "38"})
    assert (unit["unit"], unit["unparsed"]) == (None, "unit")
    assert (material["specimen"], material["loinc"], material["unparsed"]) == ("unknown", None, "specimen")


@pytest.mark.parametrize(
    ("word", "status"), [("正式", "final"), ("修改", "corrected"), ("作废", "withdrawn")], ids=lambda value: value
)
def test_status_of_the_report(word: str, status: str) -> None:
    assert labs({"报告状态": word, "结果": "1"})[0]["report_status"] == status


def test_an_outpatient_result_has_no_stay() -> None:
    outpatient, inpatient = labs({"住院次数": "", "结果": "1"}, {"住院次数": "2", "结果": "1"})
    assert (outpatient["stay_id"], inpatient["stay_id"]) == (None, "R1-2")


def test_both_forms_of_time_are_read_and_a_time_after_the_batch_is_not() -> None:
    got = labs(
        {"采集时间": "2011/3/5 8:12", "报告时间": "2011/3/6 18:02", "结果": "1"},
        {
            "采集时间": "2014-03-05 08:12:33",
            "接收时间": "2014-02-30 08:00:00",
            "报告时间": "2041-03-05 08:12:33",
            "结果": "1",
        },
    )
    assert (str(got[0]["collected_at"]), got[0]["unparsed"]) == ("2011-03-05 08:12:00", None)
    assert (str(got[1]["collected_at"]), got[1]["reported_at"]) == ("2014-03-05 08:12:33", None)
    assert got[1]["unparsed"] == "received_at,reported_at"


@pytest.mark.parametrize(
    ("code", "day", "instrument", "era"),
    [
        ("CREA", "2014-06-30", "AU5400", "creatinine_jaffe"),
        ("CREA", "2014-07-01", "AU5400", "creatinine_enzymatic"),
        ("HBVDNA", "2012-06-30", "ABI7500", "hbv_dna_kit_a"),
        ("HBVDNA", "2012-07-01", "ABI7500", "hbv_dna_kit_b"),
        ("HBVDNA", "2015-07-01", "COBAS-TQ", "hbv_dna_kit_c"),
        ("HBVDNA", "2015-07-01", "ABI7500", "hbv_dna_kit_b"),
        ("HBVDNA", "2015-06-30", "COBAS-TQ", "hbv_dna_kit_b"),
        ("CHE", "2015-12-31", "AU5400", "cholinesterase_u_l"),
        ("CHE", "2016-01-01", "AU5400", "cholinesterase_ku_l"),
        ("ALB", "2016-01-01", "AU5400", None),
    ],
)
def test_an_item_that_changed_its_assay_says_by_which_it_was_measured(
    code: str, day: str, instrument: str, era: str | None
) -> None:
    [got] = labs({"项目代码": code, "采集时间": f"{day} 23:30:00", "仪器": instrument, "结果": "1"})
    assert got["assay_era"] == era


def test_an_item_without_a_day_of_collection_has_no_assay() -> None:
    [got] = labs({"项目代码": "CREA", "采集时间": "2014-02-30 08:00:00", "结果": "1"})
    assert got["assay_era"] is None
