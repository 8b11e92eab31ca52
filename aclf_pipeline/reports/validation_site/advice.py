"""What follows from a rule: for the analyst, in words; for whoever wants to look for himself, as a query.

What does not belong here: advice to the hospital, which is the rule's own `fix`.
"""

from __future__ import annotations

from aclf_pipeline.reports.validation_site.judged import Judged

_FOLLOWS = {
    "block": (
        "A row that fails stops the whole refresh: no core table changes, and every analysis rests on the last good"
        " tables. Nothing newer is in any figure until this is put right."
    ),
    "quarantine": (
        "Failing rows are in no core table and so in no analysis; they lie whole in quality.quarantine. Where one would"
        " have given a baseline value, the next row of the window gives it or the value is missing. Before a result is"
        " believed, see whether the patients concerned are in the cohort and whether they differ from the others."
    ),
    "flag": (
        "Failing rows stay in core and are used as they are. Whoever relies on these columns should repeat the analysis"
        " without the rows and report both."
    ),
    "repair": (
        "Failing rows stay in core with the repaired cell; what was delivered is unchanged in staging, and every repair"
        " has a receipt in quality.repairs with what it was, what it became and on what evidence. Repairs of moderate"
        " confidence deserve a sensitivity analysis without them."
    ),
    "adjudicate": (
        "Failing rows are evidence of a question that a person must settle. Until somebody has, the question's default"
        " is in force, and with some choices the rows are set aside. Report how many cases are open, and what the other"
        " choice would change."
    ),
}


def for_analyst(rule: Judged) -> str:
    """What the rule's failing rows mean for an analysis, from its action and from what its stanza adds."""
    derived = _FOLLOWS.get(rule.action, "What is done with failing rows is not known.")
    if rule.failing_rows == 0:
        derived = f"No row failed, so nothing follows. If one did: {derived[:1].lower()}{derived[1:]}"
    return " ".join(text for text in (rule.follows, derived) if text)


def query(rule: Judged, database: str) -> str:
    """The failing rows with what was seen, their file and line, ready for a DuckDB shell."""
    name = rule.rule_id.replace("'", "''")
    return f"""-- duckdb -readonly {database}
-- one row per failing row and observation of {name}
select
    f.path as file,
    case when row_sheet(v._row_id) > 0 then f.sheets[row_sheet(v._row_id)] end as sheet,
    row_line(v._row_id) as line,
    v.observed,
    s.*,
from quality.violations as v
inner join staging.{rule.table} as s on v._row_id = s._row_id
left join quality.files as f on row_file(v._row_id) = f.file_id
where v.rule_id = '{name}' and v.table_name = '{rule.table}'
order by v._row_id, v.observed;"""
