"""Headers: by name or alias in any order; what is missing or renamed refuses the file and names the column."""

from __future__ import annotations

import pytest

from aclf_pipeline.warehouse.findings import RefusedError
from aclf_pipeline.warehouse.headers import match_header
from aclf_pipeline_tests.warehouse.delivery import LAB_HEADER, toy_source


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return toy_source(tmp_path_factory.mktemp("source"))


def match(source, header, file_name="检验_2011.csv"):
    return match_header(header, source.forms_of(file_name))


def refusals(source, header, file_name="检验_2011.csv"):
    with pytest.raises(RefusedError) as refused:
        match(source, header, file_name)
    return [(finding.rule_id, finding.message) for finding in refused.value.findings]


@pytest.mark.parametrize(
    "header",
    [
        LAB_HEADER,
        ["条码号", "住院号", "姓名", "检验结果", "单位", "备注"],
        ["备注", "单位", "结果", "姓名", "病案号", "标本号"],
        [" 标本号 ", "病案号", "姓名", "结果", "单位\u3000", "备注"],
    ],
)
def test_names_aliases_order_and_blanks_around_names_do_not_matter(source, header):
    layout = match(source, header)
    assert set(layout.places) == set(LAB_HEADER)
    assert layout.findings == ()


def test_full_width_names_are_the_same_names(source):
    forms = source.forms_of("输注.xlsx")
    assert "体重(kg)" in match_header(["序号", "病案号", "姓名", "体重（kg）", "输注日期", "备注"], forms).places


def test_an_unlisted_column_is_flagged_and_has_no_place(source):
    layout = match(source, [*LAB_HEADER, "YBH"])
    assert "YBH" not in layout.places
    assert [(f.rule_id, f.action) for f in layout.findings] == [("column_extra", "flag")]
    assert "'YBH'" in layout.findings[0].message


def test_a_missing_column_is_named(source):
    header = [name for name in LAB_HEADER if name != "单位"]
    assert refusals(source, header) == [("column_missing", "The column '单位' is missing")]


@pytest.mark.parametrize(
    ("name", "new", "extra"),
    [("结果", "检测值", []), ("结果", "检测值", ["YBH"]), ("病案号", "病历号", []), ("备注", "说明", [])],
)
def test_a_renamed_column_is_told_with_the_listed_one_it_stands_for(source, name, new, extra):
    header = [new if column == name else column for column in LAB_HEADER] + extra
    ((rule, message),) = refusals(source, header)
    assert rule == "column_renamed"
    assert f"'{new}'" in message
    assert f"the nearest listed column, '{name}', is missing" in message


def test_a_column_may_not_stand_twice(source):
    ((rule, message),) = refusals(source, [*LAB_HEADER, "检验结果"])
    assert (rule, message) == ("column_repeated", "The column '结果' stands twice in the header")


def test_cells_in_the_place_of_a_header_are_not_told(source):
    ((rule, message),) = refusals(source, ["000000000001", "0412873", "王小明", "12.5", "μmol/L", ""])
    assert rule == "column_missing"
    assert "is not the header" in message
    assert "0412873" not in message
    assert "王小明" not in message


def test_a_long_number_among_names_is_not_shown(source):
    assert "0412873" not in match(source, [*LAB_HEADER, "0412873"]).findings[0].message


def test_the_form_is_told_by_its_columns(source):
    assert match(source, ["BAH", "XM", "CSRQ", "SFZH", "DH", "LYFS"], "首页_2013.csv").form_id == "pages"
    assert match(source, ["BAH", "XM", "CSRQ", "CYQK"], "首页_2010.csv").form_id == "old_pages"
    ((rule, message),) = refusals(source, ["BAH", "XM", "CSRQ", "SFZH"], "首页_2010.csv")
    assert rule == "column_missing"
    assert "LYFS" in message
    assert "CYQK" in message


def test_a_column_of_contact_data_may_be_absent(source):
    assert "DH" not in match(source, ["BAH", "XM", "CSRQ", "SFZH", "LYFS"], "首页_2013.csv").places
