"""What the exports show agrees with the truth: who is excluded, who has ACLF, what is measured, who died."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from aclf_pipeline.simulate.identity import check_character
from aclf_pipeline.simulate.population import REASONS, scaled_counts

from .conftest import PERSONS
from .reading import kind, newest_labs, sheet_rows

AS_OF = date(2019, 10, 31)


@pytest.fixture(scope="module")
def patients(clean: Path) -> pl.DataFrame:
    return pl.read_parquet(clean / "truth" / "patients.parquet")


@pytest.fixture(scope="module")
def labs(clean: Path, patients: pl.DataFrame) -> pl.DataFrame:
    people = patients.explode("bah")
    return newest_labs(clean).join(people, left_on="病案号", right_on="bah").filter(pl.col("标本类型") != "腹水")


def carriers(patients: pl.DataFrame, reason: str) -> set[str]:
    return set(patients.filter(pl.col("exclusion_reasons").list.contains(reason)).get_column("patient_id"))


def test_persons_leave_as_the_table_says(patients: pl.DataFrame) -> None:
    counted = dict(patients.group_by(pl.col("exclusion_reason").fill_null("eligible")).len().iter_rows())
    assert counted == scaled_counts(PERSONS)


def test_scale_one_is_the_table() -> None:
    counts = scaled_counts(2500)
    assert [counts[name] for name in (*REASONS, "eligible")] == [1860, 2, 78, 6, 38, 18, 12, 4, 22, 3, 9, 2, 446]


def test_the_first_reason_is_the_first_of_all(patients: pl.DataFrame) -> None:
    for eligible, first, every in patients.select("eligible", "exclusion_reason", "exclusion_reasons").iter_rows():
        assert every == [name for name in REASONS if name in every]
        assert (first, eligible) == ((every[0], False) if every else (None, True))
        assert "one_infusion" in every or "no_infusion" not in every


def test_types_are_those_of_the_specification(clean: Path) -> None:
    kinds = {field.name: str(field.type) for field in pq.read_schema(clean / "truth" / "patients.parquet")}
    assert kinds["bah"] == "list<element: string>"
    assert kinds["admitted_at"] == "timestamp[ms]"  # Parquet keeps no coarser unit
    assert kinds["index_zycs"] == "int16"
    assert kinds["he_grade"] == kinds["ascites"] == kinds["hbsag_evidence"] == "int8"
    assert kinds["event_date"] == "date32[day]"
    assert len(kinds) == 68


def test_identity_numbers_are_valid_and_of_no_place(clean: Path, patients: pl.DataFrame) -> None:
    pages = kind(clean, "病案首页").join(patients.explode("bah"), left_on="BAH", right_on="bah")
    seen = 0
    for number, sex, birth in pages.select("SFZH", "sex", "birth_date").iter_rows():
        if number in ("", "-"):
            continue
        seen += 1
        assert number.startswith("990101")
        full = number if len(number) == 18 else number[:6] + "19" + number[6:]
        assert full[6:14] == birth.strftime("%Y%m%d")
        assert (int(full[16]) % 2 == 1) is (sex == "male")
        if len(number) == 18:
            assert number[17].upper() == check_character(number[:17])
    assert seen > 0.8 * pages.height


def test_published_example_of_the_check_character() -> None:
    assert check_character("11010519491231002") == "X"
    assert check_character("44052418800101001") == "4"


@pytest.mark.parametrize("code", ["TBIL", "CREA", "INR", "NEU#", "LYM#", "HBVDNA", "NA", "ALB", "PLT", "HBEAG"])
def test_covariates_are_measured_before_time_zero(labs: pl.DataFrame, patients: pl.DataFrame, code: str) -> None:
    day = pl.col("at").dt.date()
    window = (day <= pl.col("time_zero")) & (day >= pl.col("time_zero").dt.offset_by("-3d"))
    told = pl.col("value").is_not_null() | pl.col("结果").str.contains("[<≤＜未低]")
    found = (
        labs.filter(pl.col("eligible"), window, told, pl.col("项目代码") == code).get_column("patient_id").n_unique()
    )
    assert found >= 0.90 * patients.get_column("eligible").sum()


@pytest.mark.parametrize(
    ("code", "true", "low", "high"),
    [
        ("INR", "inr", 0.82, 1.18),
        ("NA", "na_mmol_l", 0.97, 1.03),
        ("LYM#", "lymph_1e9_l", 0.85, 1.15),
        ("CREA", "crea_umol_l", 0.76, 1.15),
    ],
)
def test_measured_values_lie_around_the_truth(
    labs: pl.DataFrame, code: str, true: str, low: float, high: float
) -> None:
    day = pl.col("at").dt.date()
    window = (day <= pl.col("time_zero")) & (day >= pl.col("time_zero").dt.offset_by("-3d"))
    found = labs.filter(
        pl.col("eligible"), window, pl.col("项目代码") == code, pl.col("结果").str.contains(r"^[0-9.]+$")
    )
    ratio = found.select(pl.col("value") / pl.col(true)).to_series()
    assert ratio.len() > 30
    assert ratio.min() > low
    assert ratio.max() < high


def test_aclf_is_beyond_doubt_in_the_window(labs: pl.DataFrame, patients: pl.DataFrame) -> None:
    start, stop = pl.col("admitted_at").dt.offset_by("-7d"), pl.col("admitted_at").dt.offset_by("7d")
    here = labs.filter((pl.col("at") >= start) & (pl.col("at") <= stop)).group_by("patient_id")
    value = pl.col("value")
    of = {code: value.filter(pl.col("项目代码") == code) for code in ("TBIL", "INR", "PTA")}
    seen = here.agg(of["TBIL"].max().alias("tbil"), of["INR"].max().alias("inr"), of["PTA"].min().alias("pta"))
    table = patients.join(seen, on="patient_id", validate="1:1")
    assert table.height == PERSONS
    without = table.filter(pl.col("exclusion_reasons").list.contains("not_aclf"))
    assert without.get_column("inr").max() < 1.5
    assert without.get_column("pta").min() > 40
    rest = table.filter(~pl.col("exclusion_reasons").list.contains("not_aclf"))
    assert rest.get_column("inr").min() >= 1.5
    assert rest.get_column("pta").max() <= 40
    assert rest.select(pl.col("aclf_apasl") | pl.col("aclf_cn2012")).to_series().all()
    assert rest.filter("aclf_cn2012").get_column("tbil").min() >= 171
    assert rest.get_column("tbil").min() >= 85


def test_apasl_has_ascites_or_encephalopathy_in_the_assessments(clean: Path, patients: pl.DataFrame) -> None:
    rows = kind(clean, "病程评估").join(patients.explode("bah"), left_on=["病案号"], right_on=["bah"])
    on_admission = rows.filter(pl.col("住院次数") == pl.col("index_zycs").cast(pl.String))
    sign = (pl.col("腹水") != "无") | ~pl.col("肝性脑病").is_in(["无", "0期", ""])
    shown = set(on_admission.filter(sign).get_column("patient_id"))
    assert set(patients.filter("aclf_apasl").get_column("patient_id")) <= shown


@pytest.mark.parametrize(
    ("reason", "code", "limit"),
    [("hcv", "HCVAB", 1.0), ("hiv_or_immunodeficiency", "HIVAB", 1.0), ("pregnancy_or_lactation", "HCG", 25.0)],
)
def test_screening_is_abnormal_only_in_carriers(
    labs: pl.DataFrame, patients: pl.DataFrame, reason: str, code: str, limit: float
) -> None:
    found = set(labs.filter(pl.col("项目代码") == code, pl.col("value") >= limit).get_column("patient_id"))
    assert found <= carriers(patients, reason)
    if reason == "hcv":
        assert found == carriers(patients, reason)


def test_creatinine_before_onset_is_high_only_in_renal_dysfunction(labs: pl.DataFrame, patients: pl.DataFrame) -> None:
    onset = pl.coalesce(pl.col("aclf_onset"), pl.col("admitted_at").dt.date())
    before = labs.filter(pl.col("at").dt.date() < onset, pl.col("项目代码") == "CREA", pl.col("value") > 133)
    found = set(before.get_column("patient_id"))
    assert found <= carriers(patients, "renal_dysfunction")
    assert len(found) >= 0.7 * len(carriers(patients, "renal_dysfunction"))


def test_thyroid_disease_shows_in_codes_and_comorbidities(clean: Path, patients: pl.DataFrame) -> None:
    pages = kind(clean, "病案首页").join(patients.explode("bah"), left_on="BAH", right_on="bah")
    codes = [name for name in pages.columns if name.startswith("JBDM")]
    coded = set(pages.filter(pl.any_horizontal(pl.col(codes).str.contains(r"^E0[0-7]"))).get_column("patient_id"))
    rows = kind(clean, "病程评估").join(patients.explode("bah"), left_on="病案号", right_on="bah")
    listed = set(rows.filter(pl.col("合并症").str.contains("甲")).get_column("patient_id"))
    assert coded == listed == carriers(patients, "thyroid_disease")


def test_ages(patients: pl.DataFrame) -> None:
    at = pl.col("admitted_at").dt.date() - pl.col("birth_date")
    years = patients.with_columns((at.dt.total_days() / 365.25).alias("years"))
    minors = years.filter(pl.col("exclusion_reasons").list.contains("age_under_18"))
    assert minors.get_column("years").max() < 17.9
    assert years.join(minors, on="patient_id", how="anti").get_column("years").min() > 18.1


def test_infusions_in_ledger_and_orders_agree(clean: Path, patients: pl.DataFrame) -> None:
    orders = kind(clean, "医嘱").filter(pl.col("医嘱名称").str.contains("干细胞|MSC"), pl.col("状态") == "已执行")
    given = {number: [] for number in orders.get_column("病案号")}
    for number, at in orders.select("病案号", "执行时间").iter_rows():
        given[number].append(_day(at))
    sheets = sheet_rows(clean / "exports/his/20191115_incr/干细胞输注登记_20191115.xlsx", 3)
    ledger: dict[str, int] = {}
    for header, rows in sheets.values():
        for _, row in rows:
            if row[0] not in (None, "合计"):
                ledger[str(row[header.index("病案号")])] = ledger.get(str(row[header.index("病案号")]), 0) + 1
    truth = {bah[0]: dates for bah, dates in patients.select("bah", "infusion_dates").iter_rows() if len(dates)}
    assert {number: len(dates) for number, dates in truth.items()} == ledger
    assert set(given) == set(truth)
    for number, dates in truth.items():
        assert len(given[number]) == len(dates)
        assert all(abs((a - b).days) <= 1 for a, b in zip(sorted(given[number]), dates, strict=True))
        assert all(6 <= (b - a).days <= 8 for a, b in itertools.pairwise(dates))


def _day(text: str) -> date:
    if "月" in text:
        day, month, year = text[:2], text[3 : text.index("月")], text.split("-")[-1][:2]
        return date(2000 + int(year), int(month), int(day))
    return date.fromisoformat(text[:10])


def test_infusions_lie_inside_stays(clean: Path, patients: pl.DataFrame) -> None:
    pages = kind(clean, "病案首页").unique(["BAH", "ZYCS"], keep="last")
    spans: dict[str, list[tuple[date, date]]] = {}
    for number, first, last in pages.select("BAH", "RYSJ", "CYSJ").iter_rows():
        spans.setdefault(number, []).append((_any_date(first), _any_date(last)))
    for bah, dates in patients.select("bah", "infusion_dates").iter_rows():
        assert all(any(a <= d <= b for a, b in spans[bah[0]]) for d in dates)


def _any_date(text: str) -> date:
    return date(*map(int, text.replace("/", "-").split("-")))


def test_events_follow_from_latent_times(patients: pl.DataFrame) -> None:
    reached = patients.filter(pl.col("time_zero").is_not_null())
    assert reached.get_column("second_infusion").equals(reached.get_column("time_zero"))
    for row in reached.iter_rows(named=True):
        times = {name: row[f"t_{name}"] for name in ("death", "transplant", "lost", "admin")}
        first = min(times, key=lambda name: times[name])
        assert row["event"] == first
        assert row["event_time"] == pytest.approx(times[first])
        assert 0 <= (row["event_date"] - row["time_zero"]).days - row["event_time"] < 1
    assert (
        patients.filter(pl.col("time_zero").is_null()).get_column("event").null_count()
        == patients.get_column("time_zero").null_count()
    )


def test_nobody_is_seen_alive_after_the_end(patients: pl.DataFrame) -> None:
    over = patients.filter(pl.col("event").is_in(["death", "lost"]), pl.col("last_alive") > pl.col("event_date"))
    assert over.height == 0
    assert patients.get_column("last_alive").max() <= AS_OF
    alive = patients.filter("eligible").filter(pl.col("last_alive") < pl.col("time_zero"))
    assert alive.height == 0


def test_deaths_are_visible_where_the_truth_says(clean: Path, patients: pl.DataFrame) -> None:
    register = kind(clean, "死亡登记")
    pages = kind(clean, "病案首页")
    numbers = {n for n in pages.get_column("SFZH") if n not in ("", "-")}
    blank = register.filter(pl.col("病案号") == "")
    assert set(blank.get_column("身份证号")) <= numbers
    seen = set(register.get_column("病案号")) | set(
        pages.join(blank.select("身份证号"), left_on="SFZH", right_on="身份证号").get_column("BAH")
    )
    header, rows = {}, {}
    for title, (head, found) in sheet_rows(clean / "exports/his/20191115_incr/随访_20191115.xlsx", 2).items():
        header[title], rows[title] = head, found
    for title in ("随访", "2019补充"):
        for _, row in rows[title]:
            if row[header[title].index("生存状态")] == "死亡":
                seen.add(str(row[1]))
    shown = patients.explode("bah").filter(pl.col("bah").is_in(list(seen)))
    assert set(shown.get_column("patient_id")) == set(patients.filter("death_visible").get_column("patient_id"))


def test_transplants_of_the_eligible_are_visible(clean: Path, patients: pl.DataFrame) -> None:
    grafted = kind(clean, "人工肝治疗").filter(pl.col("治疗类别") == "肝移植")
    shown = {(number, _day(at)) for number, at in grafted.select("病案号", "开始时间").iter_rows()}
    book = sheet_rows(clean / "exports/his/20191115_incr/随访_20191115.xlsx", 2)
    for title in ("随访", "2019补充"):
        header, rows = book[title]
        told = [(str(r[1]), r[header.index("移植日期")]) for _, r in rows if r[header.index("移植日期")] is not None]
        shown |= {(n, v.date() if hasattr(v, "date") else _any_date(str(v))) for n, v in told if _dated(v)}
    events = patients.filter(pl.col("event") == "transplant")
    assert events.height > 0
    for bah, at in events.select("bah", "event_date").iter_rows():
        assert (bah[0], at) in shown


def _dated(value: object) -> bool:
    return hasattr(value, "date") or str(value).count("/") == 2


def test_hbsag_evidence_shows(labs: pl.DataFrame, patients: pl.DataFrame) -> None:
    index_end = labs.filter(pl.col("项目代码") == "HBSAG", pl.col("at").dt.date() <= pl.col("discharged_at").dt.date())
    span = index_end.group_by("patient_id").agg((pl.col("at").max() - pl.col("at").min()).dt.total_days().alias("days"))
    both = patients.join(span, on="patient_id")
    assert set(both.filter(pl.col("days") >= 183).get_column("hbsag_evidence")) == {3}
    assert both.filter(pl.col("hbsag_evidence") == 3).get_column("days").min() >= 183
    none = patients.filter(pl.col("hbsag_evidence") == 0).get_column("patient_id")
    assert set(none) == carriers(patients, "hbsag_evidence")
