"""Names of the profiles a bundle can be written in.

Not here: what a profile plants (`defects`).
"""

from __future__ import annotations

import difflib

from .defects.blocking import BLOCKING

CLEAN, STANDARD = "clean", "standard"
PROFILES: tuple[str, ...] = (CLEAN, STANDARD, *(f"broken:{name}" for name in BLOCKING))
DEFECTS: tuple[str, ...] = (
    *BLOCKING,
    "column_extra",
    "file_unknown",
    "file_resent_identical",
    "batch_resent",
    "embedded_newline",
    "unquoted_delimiter",
    "mojibake",
    "fullwidth_digits",
    "bah_leading_zero_lost",
    "duplicate_row",
    "key_conflict",
    "date_impossible",
    "name_rare_char",
    "phi_in_text",
    "double_value",
    "unit_silent",
    "unit_missing",
    "hbvdna_unit_silent",
    "pta_fraction",
    "inr_pta_swapped",
    "dbil_filled_with_tbil",
    "percent_as_count",
    "decimal_slip",
    "item_unmapped",
    "report_before_collection",
    "specimen_mixup",
    "copy_forward_panel",
    "hbsag_negative_baseline",
    "labs_absent",
    "event_outside_stay",
    "person_several_ids",
    "id_shared_by_two",
    "sfzh_invalid",
    "sfzh_birth_sex_conflict",
    "birth_date_impossible",
    "age_mismatch",
    "stay_impossible",
    "stay_split",
    "stay_merged",
    "sex_pregnancy_conflict",
    "hcc_date_hidden",
    "infusion_double_entered",
    "infusion_before_admission",
    "infusion_ledger_missing",
    "infusion_order_missing",
    "dose_unit_wan",
    "weight_in_jin",
    "height_weight_swapped",
    "vitals_sentinel",
    "alss_missing",
    "event_after_death",
    "alive_after_death",
    "death_dates_conflict",
    "death_date_year_typo",
    "death_in_note_only",
    "lost_coded_alive",
    "transplant_missing",
)


def check_profile(profile: str) -> None:
    """Raise ValueError for a profile that does not exist, naming the nearest."""
    if profile not in PROFILES:
        near = difflib.get_close_matches(profile, PROFILES, n=1, cutoff=0.0)
        raise ValueError(f"profile asks for {profile!r}, which is not known. Did you mean {near[0]!r}?")


def blocking_of(profile: str) -> str | None:
    """The blocking defect of a profile `broken:<id>`."""
    return profile.removeprefix("broken:") if profile.startswith("broken:") else None
