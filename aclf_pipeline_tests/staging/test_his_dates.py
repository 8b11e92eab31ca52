"""Every written form of a date or time of source his, read or refused."""

from __future__ import annotations

from datetime import date

import pytest

from aclf_pipeline_tests.staging.hospital import Hospital, stage_cells


@pytest.mark.parametrize(
    ("form", "kind", "cell", "column", "text", "want"),
    [
        ("orders", "medications", "开立时间", "ordered_at", "2014-03-05 08:12:33", "2014-03-05 08:12:33"),
        (
            "orders",
            "medications",
            "开立时间",
            "ordered_at",
            "05-3月 -14 08.12.33.000000 上午",
            "2014-03-05 08:12:33",
        ),
        (
            "orders",
            "medications",
            "开立时间",
            "ordered_at",
            "05-10月-14 12.05.00.000000 下午",
            "2014-10-05 12:05:00",
        ),
        (
            "orders",
            "medications",
            "开立时间",
            "ordered_at",
            "05-10月-14 12.05.00.000000 上午",
            "2014-10-05 00:05:00",
        ),
        (
            "orders",
            "medications",
            "开立时间",
            "ordered_at",
            "31-12月-13 11.59.00.000000 下午",
            "2013-12-31 23:59:00",
        ),
        (
            "liver_support",
            "procedures",
            "开始时间",
            "started_at",
            "2014-03-05T08:12:33",
            "2014-03-05 08:12:33",
        ),
        ("vital_signs", "vitals", "测量时间", "measured_at", "2014-03-05 06:00:00", "2014-03-05 06:00:00"),
        (
            "imaging_reports",
            "imaging",
            "检查时间",
            "examined_at",
            "2014-03-05 08:12:33",
            "2014-03-05 08:12:33",
        ),
        ("cell_infusions", "infusions", "输注日期", "infused_on", "41703", date(2014, 3, 5)),
        ("cell_infusions", "infusions", "输注日期", "infused_on", "41703.0", date(2014, 3, 5)),
        ("cell_infusions", "infusions", "输注日期", "infused_on", "2014年3月5日", date(2014, 3, 5)),
        ("cell_infusions", "infusions", "输注日期", "infused_on", "2014/3/5", date(2014, 3, 5)),
        ("cell_infusions", "infusions", "输注日期", "infused_on", "2014.3.5", date(2014, 3, 5)),
        ("followup_calls", "followups", "随访日期", "called_on", "2014/3/5", date(2014, 3, 5)),
        ("followup_calls", "followups", "信息日期", "informed_on", "41703", date(2014, 3, 5)),
        ("death_notices", "deaths", "死亡日期", "died_to", "20110305", date(2011, 3, 5)),
        ("death_notices", "deaths", "死亡日期", "died_to", "2014-03-05", date(2014, 3, 5)),
        ("death_notices", "deaths", "登记日期", "registered_on", "2014-03-07", date(2014, 3, 7)),
        ("front_page_2001", "stays", "RYSJ", "admitted_at", "2011/3/5", "2011-03-05 00:00:00"),
        ("front_page_2011", "stays", "CYSJ", "discharged_at", "2014-03-05", "2014-03-05 00:00:00"),
    ],
)
def test_a_listed_form_is_read(form: str, kind: str, cell: str, column: str, text: str, want: date | str) -> None:
    others = {"体温(°C)": "37"} if kind == "vitals" else {}
    [got] = stage_cells(form, kind, cell, [text], **others)
    assert str(got[column]) == str(want)
    assert got["unparsed"] is None


IMPOSSIBLE = ["03/05/2014", "2014-02-30", "2041-03-05", "1949-12-31", "近期"]


@pytest.mark.parametrize(
    ("form", "kind", "cell", "column"),
    [
        ("cell_infusions", "infusions", "输注日期", "infused_on"),
        ("followup_calls", "followups", "随访日期", "called_on"),
        ("followup_calls", "followups", "死亡日期", "died_from"),
        ("followup_calls", "followups", "移植日期", "transplanted_on"),
        ("death_notices", "deaths", "登记日期", "registered_on"),
        ("progress_assessments", "assessments", "起病日期", "from_on"),
    ],
)
def test_a_day_that_cannot_be_is_left_out_and_named(form: str, kind: str, cell: str, column: str) -> None:
    found = [row for row in stage_cells(form, kind, cell, IMPOSSIBLE) if row.get("item") != "note"]
    assert [(row[column], row["unparsed"]) for row in found] == [(None, column)] * len(IMPOSSIBLE)


def test_a_blank_date_is_missing_not_unreadable() -> None:
    rows = stage_cells("followup_calls", "followups", "死亡日期", ["", "-", "1900-01-01", "　", None])
    assert [(row["died_from"], row["unparsed"]) for row in rows] == [(None, None)] * 5


def test_months_and_years_are_intervals() -> None:
    texts = ["2015年3月", "2015-03", "2015.3", "2015年", "2015", "2015年3月5日"]
    rows = stage_cells("followup_calls", "followups", "死亡日期", texts)
    month = (date(2015, 3, 1), date(2015, 3, 31), "month")
    year = (date(2015, 1, 1), date(2015, 12, 31), "year")
    day = (date(2015, 3, 5), date(2015, 3, 5), "day")
    assert [(row["died_from"], row["died_to"], row["died_precision"]) for row in rows] == [month] * 3 + [year] * 2 + [
        day
    ]
    assert [row["receipt"] for row in rows] == ["month_only"] * 3 + ["year_only"] * 2 + [None]


@pytest.mark.parametrize(
    ("told", "died"),
    [
        ("2019-08-20", date(2019, 8, 20)),
        ("2019-09-20", date(2019, 9, 20)),
        ("2019-09-21", None),
        ("2041-08-20", None),
    ],
)
def test_a_death_after_the_batch_is_kept_where_a_misprinted_year_explains_it(told: str, died: date | None) -> None:
    hospital = Hospital()
    hospital.deliver("followup_calls", [{"病案号": "R1", "随访日期": "2018-09-20", "死亡日期": told}])
    [(found, unparsed)] = hospital.stage("followups").select("died_from", "unparsed").rows()
    assert (found, unparsed) == (died, None if died else "died_from")


def test_a_month_of_transplant_is_an_interval() -> None:
    [row] = stage_cells("followup_calls", "followups", "移植日期", ["2015-02"])
    assert (row["transplanted_on"], row["transplanted_to"]) == (date(2015, 2, 1), date(2015, 2, 28))
    assert row["receipt"] == "month_only"


def test_an_event_before_the_birth_month_is_impossible() -> None:
    hospital = Hospital()
    hospital.deliver("front_page_2011", [{"BAH": "R1", "ZYCS": "1", "CSRQ": "1980-06", "RYSJ": "2014-03-05"}])
    hospital.deliver(
        "cell_infusions", [{"病案号": "R1", "输注日期": "1979-03-05"}, {"病案号": "R1", "输注日期": "1980-06-01"}]
    )
    assert hospital.stage("infusions")["unparsed"].to_list() == ["infused_on", None]


def test_the_hour_is_known_on_the_newer_form_only() -> None:
    hospital = Hospital()
    hospital.deliver("front_page_2011", [{"BAH": "R1", "ZYCS": "1", "RYSJ": "2014-03-05", "RYSJS": "08"}])
    hospital.deliver("front_page_2011", [{"BAH": "R1", "ZYCS": "2", "RYSJ": "2014-03-05", "RYSJS": "-"}])
    hospital.deliver("front_page_2011", [{"BAH": "R1", "ZYCS": "3", "RYSJ": "2014-03-05", "RYSJS": "24"}])
    hospital.deliver("front_page_2001", [{"BAH": "R1", "ZYCS": "4", "RYSJ": "2011/3/5"}])
    columns = ("admitted_at", "admitted_precision", "unparsed")
    rows = hospital.stage("stays").sort("stay_no").select(columns).rows()
    assert [(str(at), *rest) for at, *rest in rows] == [
        ("2014-03-05 08:00:00", "hour", None),
        ("2014-03-05 00:00:00", "day", None),
        ("2014-03-05 00:00:00", "day", "admitted_precision"),
        ("2011-03-05 00:00:00", "day", None),
    ]


def test_a_birth_that_cannot_be_is_named_unless_the_identity_number_knows_better() -> None:
    hospital = Hospital()
    hospital.deliver(
        "front_page_2011",
        [
            {"BAH": "R1", "CSRQ": "2015-01", "RYSJ": "2014-03-05"},
            {"BAH": "R2", "CSRQ": None, "CSRQ__problem": "impossible", "RYSJ": "2014-03-05"},
            {"BAH": "R3", "CSRQ": "1971-04", "RYSJ": "2014-03-05"},
            {
                "BAH": "R4",
                "CSRQ": "2015-01",
                "RYSJ": "2014-03-05",
                "SFZH__valid": "true",
                "SFZH__birth_month": "1971-04",
            },
        ],
    )
    rows = hospital.stage("patients").select("birth_month", "unparsed").rows()
    assert rows == [(None, "birth_month"), (None, "birth_month"), (date(1971, 4, 1), None), (None, None)]
