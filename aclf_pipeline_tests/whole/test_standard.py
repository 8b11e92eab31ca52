"""On a hospital with known defects, each class is met by the rule that is there for it, and by no false alarm."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.warehouse.connection import Warehouse

pytestmark = pytest.mark.xdist_group("standard")

MET_BY = {
    "age_mismatch": {"stays_age_matches_birth", "stays_age_of_majority"},
    "bah_leading_zero_lost": {"infusions_record_number_padded", "followups_record_number_padded"},
    "birth_date_impossible": {"patients_birth_date_possible", "patients_everything_parsed"},
    "copy_forward_panel": {"labs_panel_not_copied"},
    "date_impossible": {f"{kind}_everything_parsed" for kind in KINDS},
    "dbil_filled_with_tbil": {"labs_dbil_not_tbil"},
    "double_value": {"labs_everything_parsed"},
    "duplicate_row": {"duplicate_row"},
    "fullwidth_digits": {"fullwidth"},
    "event_outside_stay": {"labs_stay_put_right", "labs_collected_in_stay"},
    "hbsag_negative_baseline": {"labs_hbsag_positive_before_infusion"},
    "hbvdna_unit_silent": {"labs_hbvdna_unit_plausible"},
    "id_shared_by_two": {f"{kind}_one_person_per_record" for kind in KINDS},
    "infusion_double_entered": {"infusions_double_entered"},
    "inr_pta_swapped": {"labs_inr_pta_consistent"},
    "item_unmapped": {"labs_item_mapped"},
    "key_conflict": {"stays_key_unique", "assessments_key_unique", "vitals_key_unique"},
    "labs_absent": {"stays_results_present"},
    "lost_coded_alive": {"followups_lost_not_alive"},
    "name_rare_char": {f"{kind}_name_readable" for kind in KINDS},
    "percent_as_count": {"labs_count_below_wbc"},
    "person_several_ids": {"patients_one_record_number", "patients_same_person_unproved"},
    "pta_fraction": {"labs_pta_in_percent", "labs_within_hard_limits"},
    "report_before_collection": {"labs_reported_after_collected"},
    "sex_pregnancy_conflict": {"diagnoses_pregnancy_fits_sex", "assessments_pregnancy_fits_sex"},
    "sfzh_birth_sex_conflict": {"patients_sex_and_birth_from_id", "patients_sex_or_birth_disputed"},
    "sfzh_invalid": {"patients_national_id_valid", "deaths_national_id_valid"},
    "stay_impossible": {"stays_discharged_after_admitted", "stays_not_too_long"},
    "stay_merged": {"stays_merged"},
    "stay_split": {"stays_split"},
    "unit_missing": {"labs_unit_filled_in", "labs_unit_known"},
    "unit_silent": {"labs_unit_put_right", "labs_unit_silent"},
    "vitals_sentinel": {"vitals_within_limits"},
}  # fmt: skip
LAB_FILE = pl.col("file").str.contains("检验结果")
ASKED = {
    # full-width digits elsewhere are read just the same, but only labs have a column for receipts
    "fullwidth_digits": LAB_FILE,
    # an index has no unit to lose: without one it is read the same
    "unit_missing": ~pl.col("original_value").is_in(["COI", "S/CO"]),
}
FINDINGS = """
    with places as (
        select _row_id, rule_id, if(rule_id like '%_one_person_per_record', patient_id, null) as shared_by
        from quality.violations
        union all
        select _row_id, reason as rule_id, null from quality.superseded where reason = 'duplicate_row'
        union all
        select _row_id, unnest(string_split(receipt, ',')) as rule_id, null from staging.labs where receipt is not null
    )
    select distinct places.rule_id, files.path as file, row_line(places._row_id) as line,
        coalesce(case when row_sheet(places._row_id) > 0 then files.sheets[row_sheet(places._row_id)] end, '') as sheet,
        coalesce(
            places.shared_by, labs.patient_id || labs.specimen_id, patients.patient_id, cast(places._row_id as varchar)
        ) as event
    from places
    inner join quality.files as files on files.file_id = row_file(places._row_id)
    left join staging.labs as labs on places._row_id = labs._row_id
    left join staging.patients as patients on places._row_id = patients._row_id
"""
HIDDEN = """
    select distinct files.path as file, row_line(old._row_id) as line,
        coalesce(case when row_sheet(old._row_id) > 0 then files.sheets[row_sheet(old._row_id)] end, '') as sheet
    from quality.superseded as old
    inner join quality.files as files on files.file_id = row_file(old._row_id)
    where old.reason <> 'duplicate_row'
"""
PLACE = ["file", "sheet", "line"]


def read_planted(refreshed) -> pl.DataFrame:
    """The defects, with the empty sheet for text files."""
    frame = pl.read_parquet(refreshed.bundle / "truth" / "defects.parquet")
    return frame.with_columns(pl.col("sheet").fill_null(""), pl.col("line").cast(pl.Int64))


def read_found(refreshed) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The findings, and the places a later delivery hides."""
    with Warehouse.open(refreshed.settings.warehouse) as wh:
        return wh.frame(FINDINGS), wh.frame(HIDDEN)


def by_event(findings: pl.DataFrame) -> pl.DataFrame:
    """A shared record number is one event, whichever kind's rule tells of it; the damage stands on front pages."""
    return findings.with_columns(pl.col("rule_id").str.replace("^.*_one_person_per_record$", "one_person_per_record"))


def strays(refreshed, planted: pl.DataFrame, found) -> list[dict]:
    """Rows set aside although nothing was done to them, or to any row of their tube or record, by rule."""
    with Warehouse.open(refreshed.settings.warehouse) as wh:
        rules = wh.frame("select distinct rule_id from quality.violations where action = 'quarantine'")
    aside = found[0].join(rules, on="rule_id", how="semi")
    aside = by_event(aside)
    true_events = aside.join(planted, on=PLACE, how="semi").select("rule_id", "event")
    lost = aside.join(true_events, on=["rule_id", "event"], how="anti")
    return lost.group_by("rule_id").len().sort("rule_id").to_dicts()


@pytest.fixture(scope="module")
def planted(standard):
    return read_planted(standard)


@pytest.fixture(scope="module")
def found(standard):
    return read_found(standard)


def score(defect: str, rules: set[str], planted: pl.DataFrame, found) -> dict[str, object]:
    """Instances planted where the gate can see them, instances met by a named rule, findings where nothing stands.

    A row that a later delivery replaced is not judged, so an instance all of whose rows were replaced is not asked for.
    Some rules list a whole tube or record when one row of it was damaged: a finding is false when nothing was done to
    any row of its tube or record.
    """
    findings, hidden = found
    named = by_event(findings.filter(pl.col("rule_id").is_in(rules)))
    own = planted.filter((pl.col("defect_id") == defect) & pl.col("detectable") & ASKED.get(defect, pl.lit(value=True)))
    if defect != "duplicate_row":
        own = own.join(hidden, on=PLACE, how="anti")
    met = own.join(named, on=PLACE, how="semi")["instance"].unique()
    true_events = named.join(planted, on=PLACE, how="semi").select("event")
    false = named.join(true_events, on="event", how="anti")
    return {
        "defect": defect,
        "rule": ", ".join(sorted(rules)) if len(rules) < 4 else f"{len(rules)} rules, e.g. {min(rules)}",
        "planted": own["instance"].n_unique(),
        "caught": len(met),
        "falsely caught": false.height,
    }


@pytest.fixture(scope="module")
def table(planted, found):
    return pl.DataFrame([score(defect, rules, planted, found) for defect, rules in MET_BY.items()])


def test_a_hospital_with_defects_still_comes_to_a_release(standard):
    assert standard.success


def test_the_table_of_defects_can_be_read(table, capsys):
    with (
        capsys.disabled(),
        pl.Config(tbl_rows=-1, fmt_str_lengths=60, tbl_width_chars=140, tbl_hide_dataframe_shape=True),
    ):
        print(f"\n{table}")
    assert table["planted"].min() >= 1


@pytest.mark.parametrize("defect", MET_BY)
def test_each_class_is_met_by_its_rule(table, defect):
    row = table.row(by_predicate=pl.col("defect") == defect, named=True)
    assert row["caught"] == row["planted"], row


@pytest.mark.parametrize("defect", MET_BY)
def test_no_rule_accuses_a_row_without_a_defect(table, defect):
    row = table.row(by_predicate=pl.col("defect") == defect, named=True)
    assert row["falsely caught"] == 0, row


def test_every_quarantined_row_stands_on_a_planted_defect(planted, found, standard):
    """No rule that sets rows aside, named above or not, accuses a row that nothing was done to, or its twin."""
    assert strays(standard, planted, found) == []
