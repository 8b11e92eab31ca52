"""A rule names columns of ours; the hospital is told its own."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.assets.delivered_columns import delivered_headers, repaired_columns, rule_columns
from aclf_pipeline.assets.house import House
from aclf_pipeline.settings import Settings


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House.load(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def headers(house: House) -> dict[tuple[str, str], str]:
    return delivered_headers(house)


HEADERS = """
table      column             delivered
labs       collected_at       采集时间
labs       value              结果
labs       ref_text           参考范围
infusions  weight_kg          体重(kg)
infusions  cells_counted_1e6  细胞计数(×10^6), 细胞计数(万)
followups  reached            是否接通
"""


@pytest.mark.parametrize("line", HEADERS.strip().splitlines()[1:])
def test_a_column_is_told_in_the_words_of_its_file(headers: dict[tuple[str, str], str], line: str) -> None:
    table, column, delivered = line.split(maxsplit=2)
    assert headers[table, column] == delivered


def test_what_stands_for_no_cell_or_for_cells_of_two_forms_is_left_out(headers: dict[tuple[str, str], str]) -> None:
    """Front pages come in two forms with different headers; which one a row has, lineage does not say."""
    assert {"_row_id", "unparsed"}.isdisjoint(column for _, column in headers)
    assert ("stays", "discharged_at") not in headers
    assert not any("__" in delivered for delivered in headers.values())


RULES = """
rule                            columns
labs_reported_after_collected   采集时间, 报告时间
labs_collected_in_stay          采集时间
infusions_dose_plausible        体重(kg)
"""


@pytest.mark.parametrize("line", RULES.strip().splitlines()[1:])
def test_a_rule_is_told_with_the_columns_it_judges_or_quotes(house: House, line: str) -> None:
    rule, columns = line.split(maxsplit=1)
    found = rule_columns(house, delivered_headers(house))
    assert set(columns.split(", ")) <= set(found[rule].split(", "))


def test_a_repair_is_told_with_the_cells_it_put_right(headers: dict[tuple[str, str], str]) -> None:
    repairs = pl.DataFrame(
        [("kg", "infusions", "weight_kg"), ("kg", "infusions", "note"), ("split", "stays", "episode_stay_id")],
        schema=["rule_id", "table_name", "column_name"],
        orient="row",
    )
    assert repaired_columns(repairs, headers) == {"kg": "体重(kg), 备注"}
