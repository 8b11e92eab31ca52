"""Running one audit over drawn tables in a real DuckDB file, with the real pages as `rules.*`.

What does not belong here: expectations of any test.
"""

from __future__ import annotations

from pathlib import Path

import aclf_pipeline
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.quality.audits import current_views, run_audit
from aclf_pipeline.quality.repairs import repair
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import load_audits
from aclf_pipeline.warehouse.row_id import unpack
from aclf_pipeline_tests.quality.world import stage, stage_nothing

SQL = Path(aclf_pipeline.__file__).parents[1] / "sql"
AUDITS = SQL / "audits"

LOINC = {
    "TBIL": ("14631-6", "umol/L"), "DBIL": ("14629-0", "umol/L"), "IBIL": ("14630-8", "umol/L"), "INR": ("6301-6", "-"),
    "PTA": ("5894-1", "%"), "WBC": ("6690-2", "10*9/L"), "NEU#": ("751-8", "10*9/L"), "NEU%": ("770-8", "%"),
    "LYM#": ("731-0", "10*9/L"), "LYM%": ("736-9", "%"), "ALB": ("1751-7", "g/L"), "CREA": ("14682-9", "umol/L"),
    "NA": ("2951-2", "mmol/L"), "K": ("2823-3", "mmol/L"), "HBVDNA": ("42595-9", "[IU]/mL"), "ABO": ("883-9", "-"),
    "HBEAG": ("13954-3", "-"), "UREA": ("22664-7", "mmol/L"), "HBSAG": ("5196-1", "{COI}"), "TP": ("2885-2", "g/L"),
    "GLO": ("2336-6", "g/L"), "HGB": ("718-7", "g/L"), "HCT": ("4544-3", "L/L"), "ALT": ("1742-6", "U/L"),
    "AST": ("1920-8", "U/L"), "CHE": ("2098-2", "U/L"), "UA": ("14933-6", "umol/L"), "NH3": ("16362-6", "umol/L"),
    "RHD": ("10331-7", "-"),
}  # fmt: skip
"""Code, LOINC and usual unit of the items the drawings speak of."""


class AuditWorld:
    """A warehouse with the protocol loaded; `caught` stages drawings and gives the lines an audit returns."""

    def __init__(self, wh: Warehouse, protocol: Protocol) -> None:
        self.wh, self.protocol, self.audits = wh, protocol, load_audits(SQL)

    def caught(self, rule_id: str, **drawn: str) -> list[int]:
        """Lines of the rows that the audit of a rule returns, in order; `kind=drawing` for each table that has rows."""
        stage_nothing(self.wh, *drawn)
        for kind, text in drawn.items():
            stage(self.wh, kind, text)
        with current_views(self.wh) as seen:
            found = run_audit(self.wh, self.protocol.rules[rule_id], self.audits, seen)
        assert found["observed"].null_count() == 0, "an observation is missing"
        return sorted({unpack(row_id).line for row_id in found["_row_id"]})

    def mended(self, rule_id: str, **drawn: str) -> list[tuple[int, str, str | None, str]]:
        """What a rule that repairs changes: line, column, what it was and became, in order of line and column."""
        stage_nothing(self.wh, *drawn)
        for kind, text in drawn.items():
            stage(self.wh, kind, text)
        with current_views(self.wh) as seen:
            found = repair(self.wh, [self.protocol.rules[rule_id]], self.audits, seen)
        assert found.refused.is_empty(), "a rule disagrees with itself"
        cells = found.carried_out.select("_row_id", "column_name", "was", "became").rows()
        return sorted((unpack(row_id).line, column, was, became) for row_id, column, was, became in cells)


def labs(text: str) -> str:
    """A drawing of laboratory results: `line | tube | item | value` and whatever else; the rest follows from the item.

    `value` may begin with `<` or `>`. Times default to the morning of 2014-05-01, the patient to R1.
    """
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    rows = []
    for cells in lines:
        row = dict(zip(header, cells, strict=True))
        loinc, unit = LOINC[row["item"]]
        number = row["value"].lstrip("<>")
        is_number = number.replace(".", "", 1).isdigit()
        row = {
            "patient_id": "R1", "specimen": "serum", "collected_at": "2014-05-01 07:00", "loinc": loinc, "unit": unit,
            "unit_text": row.get("unit", unit), "ref_text": "-", "stay_id": "-", "reported_at": "2014-05-01 12:00",
            "operator": (row["value"][0] if row["value"][0] in "<>" else "=") if is_number else "-",
            "text_result": "-",
            **row,
        }  # fmt: skip
        row |= {"specimen_id": row.pop("tube"), "source_code": row["item"], "source_name": row.pop("item")}
        row |= {"value_text": row["value"], "value": number if is_number else "-"}
        rows.append(row)
    return "\n".join(" | ".join(cells) for cells in [list(rows[0]), *(list(row.values()) for row in rows)])
