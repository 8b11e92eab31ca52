"""How much of the planted damage the gate meets, with which rule and which action, and whom it accuses wrongly.

The truth of a simulated hospital lists every instance of every class of damage; the ledger lists every finding. An
instance is *met* when a finding with an acceptable action stands at one of its places, *attributed* when it is of a
rule the catalogue names for its class. A row that a later delivery replaced is not judged, and is not asked for.

What does not belong here: making and judging the hospital (`hospital`), the value of single rules (`mutation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from aclf_pipeline.bench.catalogue import Expected, catalogue
from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey

PLACE = ["file", "sheet", "line"]
SERIOUS = ("quarantine", "adjudicate", "block", "repair")
"""Actions that change what is analysed: one on a row without damage is a false alarm."""


@dataclass(frozen=True)
class Evidence:
    """What the ledger of one judged hospital says, and what is true.

    findings: rule_id, action, file, sheet, line, patient_id, twin (tube, record or row), one row per finding and place.
    planted: the truth's places with `record` (pseudonyms of the person) and `asked` (the gate could know).
    repairs: rule_id, column_name, became, file, line, sheet, in_stated_unit (a laboratory value in the unit it was
    declared in, once the repaired unit is taken as true).
    """

    findings: pl.DataFrame
    planted: pl.DataFrame
    repairs: pl.DataFrame


def evidence_of(wh: Warehouse, truth: Path, pseudonyms: PseudonymKey) -> Evidence:
    """Read the ledger of a judged hospital, and its truth."""
    unseen = wh.frame(_UNSEEN)
    read = wh.frame("select distinct path as file from quality.files")["file"]
    planted = _planted(truth, pseudonyms)
    replaced = planted.join(unseen, on=PLACE, how="semi", nulls_equal=True)["row_number"]
    could_be_seen = (
        (pl.col("level") == "file")
        | pl.col("line").is_null()
        | (pl.col("file").is_in(read.implode()) & ~pl.col("row_number").is_in(replaced.implode()))
    )
    asked = planted.with_columns((pl.col("detectable") & could_be_seen).alias("asked"))
    return Evidence(findings_of(wh), asked, wh.frame(_REPAIRS))


def _planted(truth: Path, pseudonyms: PseudonymKey) -> pl.DataFrame:
    """The truth's places, each with the records of its person as pseudonyms."""
    people = pl.read_parquet(truth / "patients.parquet", columns=["patient_id", "bah"]).rename(
        {"patient_id": "patient"}
    )
    records = people.with_columns(
        pl.Series("record", [[pseudonyms.pseudonym("record_number", b) for b in numbers] for numbers in people["bah"]])
    )
    return (
        pl.read_parquet(truth / "defects.parquet")
        .with_columns(pl.col("sheet").fill_null(""), pl.col("line").cast(pl.Int64))
        .join(records.drop("bah"), on="patient", how="left")
        .with_row_index("row_number")
    )


def findings_of(wh: Warehouse) -> pl.DataFrame:
    """Everything the ledger holds against a row, a person or a file, keyed by place."""
    kept = [kind for kind, contract in KINDS.items() if "receipt" in {p.name for p in promises(contract)}]
    receipts = [_RECEIPTS.format(kind=kind) for kind in kept if f"staging.{kind}" in wh.tables()]
    rows = " union all ".join([_LEDGER, *receipts])
    return wh.frame(_FINDINGS.format(rows=rows))


_LEDGER = """
    select _row_id, patient_id, rule_id, action, table_name as t from quality.violations
    union all
    select _row_id, null, reason,
        case when reason in ('withdrawn', 'row_withdrawn') then 'flag' else 'repair' end, table_name
    from quality.superseded where reason <> 'snapshot'
    union all
    select by_row_id, null, reason, 'repair', table_name from quality.superseded where reason = 'reissued'
    union all
    select _row_id, null, rule_id, 'repair', table_name from quality.receipts
    union all
    select _row_id, null, rule_id, 'quarantine', raw_table from quality.rejects
"""
_RECEIPTS = """
    select _row_id, patient_id, unnest(string_split(receipt, ',')) as rule_id,
        if(rule_id in ('text', 'above_limit'), 'flag', 'repair') as action, '{kind}' as t
    from staging.{kind} where receipt is not null
"""
_FINDINGS = """
    with found as ({rows}),
    placed as (
        select found.rule_id, found.action, files.path as file, row_line(found._row_id) as line,
            coalesce(case when row_sheet(found._row_id) > 0 then files.sheets[row_sheet(found._row_id)] end, '')
                as sheet,
            coalesce(found.patient_id, labs.patient_id, infusions.patient_id, followups.patient_id) as patient_id,
            case when found.t = 'labs' then coalesce(labs.patient_id || labs.specimen_id, found._row_id::varchar)
                when found.t = 'imaging' then coalesce(imaging.patient_id || imaging.exam_id, found._row_id::varchar)
                when found.t in ('patients', 'stays', 'diagnoses')
                    then coalesce(found.patient_id, found._row_id::varchar)
                else cast(row_raw(found._row_id) as varchar) end as twin
        from found
        left join quality.files as files on files.file_id = row_file(found._row_id)
        left join staging.labs as labs on found.t = 'labs' and labs._row_id = found._row_id
        left join staging.imaging as imaging on found.t = 'imaging' and imaging._row_id = found._row_id
        left join staging.infusions as infusions on found.t = 'infusions' and infusions._row_id = found._row_id
        left join staging.followups as followups on found.t = 'followups' and followups._row_id = found._row_id
    )
    select distinct * from placed
    union all
    select rule_id, action, coalesce(path, batch), line, '', null, coalesce(path, batch) from quality.file_problems
"""
_UNSEEN = """
    select distinct files.path as file, row_line(old._row_id) as line,
        coalesce(case when row_sheet(old._row_id) > 0 then files.sheets[row_sheet(old._row_id)] end, '') as sheet
    from quality.superseded as old
    inner join quality.files as files on files.file_id = row_file(old._row_id)
    where old.reason not in ('duplicate_row', 'row_withdrawn')
"""
_REPAIRS = """
    select r.rule_id, r.column_name, r.became, files.path as file, row_line(r._row_id) as line,
        coalesce(case when row_sheet(r._row_id) > 0 then files.sheets[row_sheet(r._row_id)] end, '') as sheet,
        labs.value * (to_units.factor / from_units.factor) as in_stated_unit
    from quality.repairs as r
    left join quality.files as files on files.file_id = row_file(r._row_id)
    left join staging.labs as labs on r.table_name = 'labs' and r.column_name = 'unit' and labs._row_id = r._row_id
    left join rules.analyte_loinc as loincs on loincs.loinc = labs.loinc
    left join rules.analyte_units as to_units on to_units.analyte = loincs.analyte and to_units.unit = r.became
    left join rules.analyte_units as from_units on from_units.analyte = loincs.analyte and from_units.unit = labs.unit
"""


def score(evidence: Evidence) -> pl.DataFrame:
    """One row per class of damage: instances planted, asked, met, attributed and so on; findings, and false ones.

    A finding of a class's rules is false when nothing was done to its row, its tube or its record; a flag is counted
    apart (`stray_flags`), since it changes nothing.
    """
    return pl.DataFrame(
        [_score(defect, expected, evidence) for defect, expected in sorted(catalogue().items()) if not expected.habit],
        infer_schema_length=None,
    )


def _score(defect: str, expected: Expected, evidence: Evidence) -> dict[str, object]:
    own = evidence.planted.filter(pl.col("defect_id") == defect)
    asked = own.filter("asked")
    met, right = _met(asked, expected, evidence.findings)
    preferred = met.filter(pl.col("action") == pl.col("actions").list.first())
    named = evidence.findings.filter(pl.col("rule_id").is_in(expected.met_by))
    strays = _strays(named, evidence)
    repaired, right_value = _values(asked, evidence.repairs)
    return {
        "defect": defect,
        "planted": own["instance"].n_unique(),
        "asked": asked["instance"].n_unique(),
        "met": met["instance"].n_unique(),
        "attributed": right["instance"].n_unique(),
        "preferred": preferred["instance"].n_unique(),
        "repaired_values": repaired,
        "right_values": right_value,
        "findings": named.filter(pl.col("action").is_in(SERIOUS)).height,
        "false": strays.filter(pl.col("action").is_in(SERIOUS)).height,
        "stray_flags": strays.filter(~pl.col("action").is_in(SERIOUS)).height,
    }


def _met(asked: pl.DataFrame, expected: Expected, findings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Instances with an acceptable finding (instance, actions, action), and those met by a rule named for the class."""
    here = asked.select("instance", "actions", *PLACE, "record")
    named = pl.col("rule_id").is_in(expected.met_by)
    finding = findings.select("rule_id", "action", *PLACE, "patient_id")
    if expected.at == "row":
        found = here.join(finding, on=PLACE)
    elif expected.at == "file":
        # a file whose name must not be written is told by its batch
        named_by = here.with_columns(pl.concat_list("file", _batch()).alias("file")).explode("file")
        found = named_by.join(finding.drop("sheet", "line"), on="file")
    else:
        found = here.explode("record").join(finding.filter(named), left_on="record", right_on="patient_id")
    found = found.filter(pl.col("action").is_in(pl.col("actions")))
    return found.select("instance", "actions", "action"), found.filter(named).select("instance")


def _batch() -> pl.Expr:
    return pl.col("file").str.split("/").list.first()


def instances_met(evidence: Evidence, rule_id: str) -> pl.DataFrame:
    """Instances (defect, instance) that a rule named for their class meets, of the classes that name this rule."""
    met = [
        right.select(pl.lit(defect).alias("defect"), "instance").unique()
        for defect, expected in catalogue().items()
        if rule_id in expected.met_by
        for _, right in [
            _met(
                evidence.planted.filter((pl.col("defect_id") == defect) & pl.col("asked")), expected, evidence.findings
            )
        ]
    ]
    return pl.concat(met) if met else pl.DataFrame(schema={"defect": pl.String, "instance": pl.Int64})


def _strays(named: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """Findings on rows, tubes, records, persons and files to which nothing was done."""
    at_row = named.join(evidence.planted, on=PLACE, how="semi", nulls_equal=True).select("rule_id", "twin")
    persons = evidence.planted.select("defect_id", patient_id="record").drop_nulls().explode("patient_id").unique()
    by_rule = pl.DataFrame(
        [(rule, defect) for defect, e in catalogue().items() for rule in e.met_by],
        schema={"rule_id": pl.String, "defect_id": pl.String},
        orient="row",
    )
    at_person = persons.join(by_rule, on="defect_id").select("rule_id", "patient_id").unique()
    whole = evidence.planted.filter(pl.col("line").is_null()).select("defect_id", pl.concat_list("file", _batch()))
    in_file = whole.explode("file").join(by_rule, on="defect_id").select("rule_id", "file").unique()
    left = named.join(at_row.unique(), on=["rule_id", "twin"], how="anti")
    left = left.join(at_person, on=["rule_id", "patient_id"], how="anti")
    return left.join(in_file, on=["rule_id", "file"], how="anti")


def _values(asked: pl.DataFrame, repairs: pl.DataFrame) -> tuple[int, int]:
    """Repaired numbers, and those of them that agree with the undamaged cell within a hundredth."""
    both = asked.join(repairs, on=PLACE).with_columns(
        pl.col("original_value").cast(pl.Float64, strict=False).alias("true_number"),
        pl.coalesce("in_stated_unit", pl.col("became").cast(pl.Float64, strict=False)).alias("number"),
    )
    numbers = both.filter(pl.col("true_number").is_not_null() & pl.col("number").is_not_null())
    near = (pl.col("number") - pl.col("true_number")).abs() <= 0.01 * pl.col("true_number").abs()
    cells = numbers.with_columns(near.alias("near")).group_by(*PLACE, "column").agg(pl.col("near").any())
    return cells.height, int(cells["near"].sum())


def missed(evidence: Evidence) -> pl.DataFrame:
    """Instances asked for on which no acceptable finding, or none of the right rule, stands, with their places."""
    rows = []
    for defect, expected in catalogue().items():
        asked = evidence.planted.filter((pl.col("defect_id") == defect) & pl.col("asked"))
        met, right = _met(asked, expected, evidence.findings)
        for what, done in (("missed", met), ("other rule", right)):
            left = asked.join(done.select("instance").unique(), on="instance", how="anti")
            rows.append(
                left.select(
                    "defect_id", pl.lit(what).alias("what"), *PLACE, "column", "original_value", "corrupted_value"
                )
            )
    return pl.concat(rows).unique(subset=["defect_id", *PLACE], keep="first", maintain_order=True)


def false_alarms(evidence: Evidence) -> pl.DataFrame:
    """Findings that change something in a hospital without damage: rule, action, findings; reading a habit is none."""
    habits = set(evidence.planted.filter("habit")["defect_id"])
    reading = [rule for name, of in catalogue().items() if of.habit or name in habits for rule in of.met_by]
    serious = evidence.findings.filter(pl.col("action").is_in(SERIOUS) & ~pl.col("rule_id").is_in(reading))
    return serious.group_by("rule_id", "action").agg(pl.len().alias("findings")).sort("rule_id")
