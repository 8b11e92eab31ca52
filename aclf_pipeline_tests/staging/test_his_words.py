"""The words of source his and the canonical vocabulary they become."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from aclf_pipeline.contracts import KINDS, facts
from aclf_pipeline_tests.staging.hospital import Hospital, stage_cells


def answers(column: str, item: str, *texts: str) -> list[dict[str, Any]]:
    rows = stage_cells(
        "progress_assessments", "assessments", column, texts, 病案号="R1", 评估时间="2014-03-05 09:00:00"
    )
    return [row for row in rows if row["item"] == item]


@pytest.mark.parametrize(
    ("text", "grade", "is_range"),
    [
        ("无", 0, False),
        ("0期", 0, False),
        ("Ⅰ期", 1, False),
        ("Ⅳ期", 4, False),
        ("II期", 2, False),
        ("IV期", 4, False),
        ("3级", 3, False),
        ("3", 3, False),
        ("３", 3, False),
        ("Ⅲ度", 3, False),
        ("Ⅰ-Ⅱ期", 2, True),
        ("Ⅱ～Ⅲ期", 3, True),
    ],
)
def test_grade_of_encephalopathy(text: str, grade: int, is_range: bool) -> None:
    [row] = answers("肝性脑病", "he_grade", text)
    assert (row["value"], row["is_range"], row["unparsed"], row["value_text"]) == (grade, is_range, None, text)


def test_encephalopathy_not_assessed_gives_no_row_and_nonsense_is_named() -> None:
    assert answers("肝性脑病", "he_grade", "", "-") == []
    assert [row["unparsed"] for row in answers("肝性脑病", "he_grade", "昏睡", "5期")] == ["value", "value"]


@pytest.mark.parametrize(
    ("column", "item", "text", "code"),
    [
        ("腹水", "ascites", "无", "none"),
        ("腹水", "ascites", "少量", "mild"),
        ("腹水", "ascites", "中量", "moderate"),
        ("腹水", "ascites", "大量", "severe"),
        ("腹水", "ascites", "有", "present"),
        ("感染", "infection", "可疑", "suspected"),
        ("感染", "infection", "有", "yes"),
        ("消化道出血", "gi_bleed", "无", "none"),
        ("肝肾综合征", "hrs", "有", "yes"),
        ("肝硬化", "cirrhosis", "失代偿期", "decompensated"),
        ("肝硬化", "cirrhosis", "代偿期", "compensated"),
        ("肝硬化", "cirrhosis", "不详", "unknown"),
        ("HBsAg阳性史", "hbsag_history", "阳性>6个月", "over_6_months"),
        ("HBsAg阳性史", "hbsag_history", "阳性＞6个月", "over_6_months"),
        ("HBsAg阳性史", "hbsag_history", "阳性10余年", "over_6_months"),
        ("HBsAg阳性史", "hbsag_history", "首次发现", "first_found"),
        ("HBsAg阳性史", "hbsag_history", "2003年体检发现", "dated"),
        ("抗病毒史", "antiviral_history", "未用", "naive"),
        ("抗病毒史", "antiviral_history", "规律服用", "on"),
        ("抗病毒史", "antiviral_history", "自行停药", "withdrawn"),
        ("ACLF诊断", "aclf_diagnosis", "慢加急性肝衰竭(早期)", "early"),
        ("ACLF诊断", "aclf_diagnosis", "慢加急性肝衰竭（晚期）", "late"),
        ("腹水", "ascites", "很多", None),
    ],
)
def test_an_answer_becomes_its_code(column: str, item: str, text: str, code: str | None) -> None:
    [row] = answers(column, item, text)
    assert (row["value_code"], row["unparsed"]) == (code, None if code else "value_code")


@pytest.mark.parametrize(
    ("text", "first", "last", "precision", "receipt"),
    [
        ("2003年体检发现", date(2003, 1, 1), date(2003, 12, 31), "year", None),
        ("2003年", date(2003, 1, 1), date(2003, 12, 31), "year", "year_only"),
        ("2003", date(2003, 1, 1), date(2003, 12, 31), "year", "year_only"),
        ("2003年2月", date(2003, 2, 1), date(2003, 2, 28), "month", "month_only"),
        ("2003.2", date(2003, 2, 1), date(2003, 2, 28), "month", "month_only"),
    ],
)
def test_a_dated_history_is_an_interval(text: str, first: date, last: date, precision: str, receipt: str) -> None:
    [row] = answers("HBsAg阳性史", "hbsag_history", text)
    assert (row["from_on"], row["to_on"], row["precision"], row["receipt"]) == (first, last, precision, receipt)


def test_onset_is_a_day_or_a_month() -> None:
    day, month = answers("起病日期", "onset", "2014-03-01", "2014年2月")
    assert (day["from_on"], day["to_on"], day["precision"]) == (date(2014, 3, 1), date(2014, 3, 1), "day")
    assert (month["from_on"], month["to_on"], month["precision"]) == (date(2014, 2, 1), date(2014, 2, 28), "month")
    assert (day["receipt"], month["receipt"]) == (None, "month_only")


def test_a_list_gives_one_row_for_each_value() -> None:
    rows = answers("合并症", "comorbidity", "丙肝;HIV感染；肝癌、甲亢", "无", "尿毒症")
    assert [row["value_code"] for row in rows] == ["hcv", "hiv", "liver_cancer", "hyperthyroidism", "none", None]
    assert len({row["_row_id"] for row in rows}) == len(rows)
    assert rows[-1]["unparsed"] == "value_code"


def test_an_assessment_without_answers_still_stands() -> None:
    hospital = Hospital()
    hospital.deliver("progress_assessments", [{"病案号": "R1", "评估类型": "死亡", "评估时间": "2014-03-05 09:00:00"}])
    [row] = hospital.stage("assessments").to_dicts()
    assert (row["item"], row["assessment_type"], row["value_text"]) == ("note", "death", None)


IMAGING = [
    ("1.肝硬化 2.脾大 3.腹水，最深约45mm", None, "yes", "yes"),
    ("1.肝硬化；2.少量腹水；3.食管胃底静脉曲张(重度)", None, "yes", "yes"),
    ("未见腹水。未见占位", "no", None, "no"),
    ("考虑原发性肝癌", "yes", None, None),
    ("肝硬化，肝内占位，性质待定", "doubtful", "yes", None),
    ("肝内占位，性质待定；未见腹水", "doubtful", None, "no"),
    ("原发性肝癌不除外", "doubtful", None, None),
    ("不除外肝癌", "doubtful", None, None),
    ("原发性肝癌，不除外。少量腹水", "doubtful", None, "yes"),
    ("肝硬化，不除外肝癌", "doubtful", "yes", None),
    ("肝癌？", "doubtful", None, None),
    ("排除肝癌", "no", None, None),
    ("肝硬化待定", None, "doubtful", None),
    ("无腹水，肝硬化", None, "yes", "no"),
    ("未见占位、腹水", "no", None, "no"),
    ("未见占位；考虑原发性肝癌", "yes", None, None),
    ("脾大\n门静脉血栓", None, None, None),
]


def test_negation_and_doubt_of_a_conclusion_are_honoured() -> None:
    rows = stage_cells("imaging_reports", "imaging", "结论", [text for text, *_ in IMAGING])
    got = [(row["conclusion"], row["liver_cancer"], row["cirrhosis"], row["ascites"]) for row in rows]
    assert got == IMAGING
    assert [row["unparsed"] for row in rows] == [None] * len(IMAGING)


def test_a_conclusion_decoded_wrongly_is_named() -> None:
    torn = "1.肝硬化；2.脾大；3.未见腹水".encode().decode("gbk", errors="replace")
    [row] = stage_cells("imaging_reports", "imaging", "结论", [torn])
    assert row["unparsed"] == "conclusion"


@pytest.mark.parametrize(
    ("form", "cell", "text", "disposition", "outcome"),
    [
        ("front_page_2011", "LYFS", "4", "against_advice", None),
        ("front_page_2011", "LYFS", "5", "died", None),
        ("front_page_2011", "LYFS", "1", "home", None),
        ("front_page_2011", "LYFS", "2", "transfer", None),
        ("front_page_2001", "CYQK", "4", "died", "died"),
        ("front_page_2001", "CYQK", "5", "unknown", "other"),
        ("front_page_2001", "CYQK", "2", "unknown", "improved"),
    ],
)
def test_the_way_out_is_read_by_the_form(
    form: str, cell: str, text: str, disposition: str, outcome: str | None
) -> None:
    [row] = stage_cells(form, "stays", cell, [text], BAH="R1", ZYCS="1")
    assert (row["disposition"], row["outcome_stated"], row["stay_id"]) == (disposition, outcome, "R1-1")


@pytest.mark.parametrize(
    ("form", "text", "sex"),
    [
        ("front_page_2011", "1", "male"),
        ("front_page_2011", "2", "female"),
        ("front_page_2011", "9", "unknown"),
        ("front_page_2001", "男", "male"),
        ("front_page_2001", "女", "female"),
    ],
)
def test_sex(form: str, text: str, sex: str) -> None:
    [row] = stage_cells(form, "patients", "XB", [text], BAH="R1", ZYCS="1")
    assert (row["sex"], row["unparsed"]) == (sex, None)


def test_diagnoses_are_unpivoted_and_their_codes_cleaned() -> None:
    hospital = Hospital()
    hospital.deliver(
        "front_page_2011",
        [
            {
                "BAH": "R1",
                "ZYCS": "1",
                "MZZD": "肝功能不全",
                "JBBM": "K72.905 ",
                "ZYZD": "慢加急性肝衰竭",
                "JBDM": "K72.900x001",
                "RYBQ": "1",
                "QTZD1": "肝硬化伴食管静脉曲张",
                "JBDM1": "K74.617+I98.3*  ",
                "RYBQ1": "4",
                "QTZD2": "高血压",
                "JBDM2": "12",
            }
        ],
    )
    hospital.deliver("front_page_2001", [{"BAH": "R2", "ZYCS": "1", "ZYZD": "慢性乙型肝炎", "JBDM": "B18.1"}])
    columns = ("position", "role", "code", "code_second", "code_system", "present_on_admission", "unparsed")
    assert hospital.stage("diagnoses").select(columns).rows() == [
        (0, "outpatient", "K72.905", None, "ICD-10-GB2016", None, None),
        (1, "principal", "K72.900X001", None, "ICD-10-GB2016", "yes", None),
        (2, "other", "K74.617", "I98.3", "ICD-10-GB2016", "no", None),
        (3, "other", "12", None, "ICD-10-GB2016", None, None),
        (1, "principal", "B18.1", None, "ICD-10-GB2001", None, None),
    ]


def test_procedures_of_the_log_and_of_the_front_page() -> None:
    hospital = Hospital()
    hospital.deliver(
        "liver_support",
        [
            {"病案号": "R1", "流水号": "1", "治疗类别": "人工肝", "治疗方式": "DPMAS+PE", "置换血浆量(mL)": "2500"},
            {"病案号": "R1", "流水号": "2", "治疗类别": "人工肝", "治疗方式": "HP"},
            {"病案号": "R1", "流水号": "3", "治疗类别": "血液净化", "治疗方式": "CRRT"},
            {"病案号": "R1", "流水号": "4", "治疗类别": "内镜", "治疗方式": "套扎"},
            {"病案号": "R1", "流水号": "5", "治疗类别": "针灸", "治疗方式": "-"},
        ],
    )
    hospital.deliver(
        "front_page_2011",
        [{"BAH": "R1", "ZYCS": "2", "SSJCZBM1": "50.5900x001", "SSJCZRQ1": "2015-04-01", "SSJCZMC1": "肝移植术"}],
    )
    columns = ("procedure_id", "category", "is_plasma_exchange", "origin", "code_system", "unparsed")
    assert hospital.stage("procedures").select(columns).rows() == [
        ("1", "artificial_liver", True, "procedure_log", None, None),
        ("2", "artificial_liver", False, "procedure_log", None, None),
        ("3", "renal_replacement", None, "procedure_log", None, None),
        ("4", "endoscopic_haemostasis", None, "procedure_log", None, None),
        ("5", "other", None, "procedure_log", None, "category"),
        ("R1-2-1", "liver_transplant", None, "front_page", "ICD-9-CM-3", None),
    ]


@pytest.mark.parametrize(
    ("text", "drug", "drug_class", "unparsed"),
    [
        ("恩替卡韦分散片", "entecavir", "antiviral", None),
        ("人血白蛋白", "human_albumin", "albumin", None),
        ("特利加压素", "terlipressin", "vasopressor", None),
        ("他克莫司胶囊", "tacrolimus", "tacrolimus", None),
        ("甲巯咪唑片", "methimazole", "antithyroid", None),
        ("ＭＳＣ输注", "msc", "msc", None),
        ("骨髓间充质干细胞输注", "msc_bone_marrow", "msc", None),
        ("葡萄糖注射液", None, None, None),
        ("恩替卡韦".encode().decode("gbk"), "entecavir", "antiviral", None),
        ("特利加压素".encode("gbk").decode("latin-1"), "terlipressin", "vasopressor", None),
        ("多巴胺".encode().decode("gbk", errors="replace"), None, None, "drug_text"),
    ],
)
def test_drugs_by_the_beginning_of_their_name(
    text: str, drug: str | None, drug_class: str | None, unparsed: str | None
) -> None:
    [row] = stage_cells("orders", "medications", "医嘱名称", [text], 病案号="R1")
    assert (row["drug"], row["drug_class"], row["unparsed"], row["drug_text"]) == (drug, drug_class, unparsed, text)


@pytest.mark.parametrize(
    ("text", "receipt"),
    [
        ("恩替卡韦分散片", None),
        ("恩替卡韦".encode().decode("gbk"), "mojibake"),
        ("特利加压素".encode("gbk").decode("latin-1"), "mojibake"),
        ("多巴胺".encode().decode("gbk", errors="replace"), None),
    ],
)
def test_a_drug_name_read_through_a_wrong_encoding_has_its_receipt(text: str, receipt: str | None) -> None:
    [row] = stage_cells("orders", "medications", "医嘱名称", [text], 病案号="R1")
    assert row["receipt"] == receipt


def test_an_order_is_standing_or_single_and_has_a_state() -> None:
    hospital = Hospital()
    words = [("长期", "已停止"), ("临时", "已执行"), ("临时", "作废"), ("临时", "新开")]
    hospital.deliver("orders", [{"病案号": "R1", "医嘱类型": kind, "状态": state} for kind, state in words])
    assert hospital.stage("medications").select("is_standing", "status").rows() == [
        (True, "stopped"),
        (False, "executed"),
        (False, "cancelled"),
        (False, "new"),
    ]


def test_cells_are_millions_whatever_the_header_counts() -> None:
    hospital = Hospital()
    hospital.deliver(
        "cell_infusions",
        [
            {
                "病案号": "R1",
                "细胞计数(万)": "10000",
                "实际输注细胞数(万)": "9500",
                "第几次": "第3次",
                "细胞来源": "骨髓",
            },
            {
                "病案号": "R1",
                "细胞计数(×10^6)": "１００",
                "实际输注细胞数(×10^6)": "95",
                "第几次": "4",
                "细胞来源": "脐带",
            },
            {"病案号": "R1", "细胞计数(×10^6)": "许多"},
        ],
    )
    columns = ("cells_counted_1e6", "cells_infused_1e6", "infusion_no", "cell_source", "unparsed")
    assert hospital.stage("infusions").select(columns).rows() == [
        (100.0, 95.0, 3, "bone_marrow", None),
        (100.0, 95.0, 4, "umbilical_cord", None),
        (None, None, None, None, "cells_counted_1e6"),
    ]


@pytest.mark.parametrize(("text", "weight", "receipt"), [("６２．５", 62.5, "fullwidth"), ("62.5", 62.5, None)])
def test_a_number_in_full_width_digits_leaves_a_receipt_in_the_ledger(
    text: str, weight: float, receipt: str | None
) -> None:
    [row] = stage_cells("cell_infusions", "infusions", "体重(kg)", [text], 病案号="R1")
    assert (row["weight_kg"], row["receipt"], row["unparsed"]) == (weight, receipt, None)


def test_only_filled_signs_give_rows() -> None:
    hospital = Hospital()
    hospital.deliver(
        "vital_signs",
        [
            {
                "病案号": "R1",
                "体温(°C)": "36.5",
                "吸氧浓度(%)": "",
                "意识": "嗜睡",
                "收缩压(mmHg)": "-1",
                "体重(kg)": "斤",
            }
        ],
    )
    assert hospital.stage("vitals").select("item", "value", "unit", "unparsed").rows() == [
        ("temperature", 36.5, "Cel", None),
        ("sbp", -1.0, "mm[Hg]", None),
        ("consciousness", None, None, None),
        ("weight", None, "kg", "value"),
    ]


@pytest.mark.parametrize(
    ("note", "tells"),
    [
        ("家属诉已故", True),
        ("电话未接通，邻居诉患者去年病故", True),
        ("家属否认死亡", False),
        ("没有去世", False),
        ("换号", False),
        (None, None),
    ],
)
def test_a_remark_that_tells_of_a_death_is_marked(note: str | None, tells: bool | None) -> None:
    hospital = Hospital()
    hospital.deliver("followup_calls", [{"病案号": "R1", "生存状态": "失访", "备注": note}])
    assert hospital.stage("followups").select("vital_status", "died_in_note").rows() == [("lost", tells)]


def test_a_follow_up_is_left_as_stated() -> None:
    hospital = Hospital()
    said = {
        "病案号": "R1",
        "随访方式": "电话",
        "信息提供者": "无",
        "是否接通": "空号",
        "生存状态": "存活",
        "肝移植": "不详",
    }
    hospital.deliver(
        "followup_calls", [said, {**said, "生存状态": "肝移植后存活", "是否接通": "是", "信息提供者": "配偶"}]
    )
    assert hospital.stage("followups").select("mode", "informant", "reached", "vital_status", "transplant").rows() == [
        ("telephone", "nobody", "empty_number", "alive", "unknown"),
        ("telephone", "spouse", "yes", "alive_after_transplant", "unknown"),
    ]


def test_a_household_register_gives_only_the_last_possible_day() -> None:
    hospital = Hospital()
    day = {"死亡日期": "2014-03-05"}
    hospital.deliver(
        "death_notices",
        [{**day, "信息来源": "户籍注销"}, {**day, "信息来源": "院内死亡记录"}, {**day, "信息来源": "疾控死因监测"}],
    )
    died = date(2014, 3, 5)
    assert hospital.stage("deaths").select("information_source", "died_from", "died_to", "died_precision").rows() == [
        ("household_register", None, died, None),
        ("hospital_record", died, died, "day"),
        ("disease_control", died, died, "day"),
    ]


def test_a_damaged_name_links_nobody() -> None:
    hospital = Hospital()
    hospital.deliver("front_page_2011", [{"BAH": "R1", "ZYCS": "1", "XM": "M1", "XM__damaged": "true"}])
    hospital.deliver("cell_infusions", [{"病案号": "R1", "姓名": "M1", "姓名__damaged": "true"}])
    hospital.deliver("death_notices", [{"病案号": "R1", "姓名": "M1", "姓名__damaged": "true"}])
    for kind in ("patients", "infusions", "deaths"):
        assert hospital.stage(kind).select("name_id", "unparsed").rows() == [(None, None)], kind


def test_a_corrected_assessment_shares_an_identity_even_when_every_answer_changed() -> None:
    hospital = Hospital()
    hospital.deliver(
        "progress_assessments", [{"病案号": "R1", "评估号": "PG1", "腹水": text} for text in ("少量", "大量")]
    )
    frame = hospital.stage("assessments")
    identity = facts(KINDS["assessments"])["identity"]
    shared = frame.group_by(identity).len().filter(pl.col("len") == 2)
    assert shared.select("item", "value_code").rows() == [("note", "note")]
