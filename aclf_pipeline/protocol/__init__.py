"""The clinician's room: pages of plain data, and one typed reader of them.

A page states what counts: units, limits, definitions, rules, eligibility, the analysis plan. The reader loads all pages
of a study at once, says in plain words everything that is wrong with them, and hands them on frozen.

What does not belong here: contracts, queries, rows, clocks, and anything that executes a rule.
"""

from __future__ import annotations

from aclf_pipeline.protocol.errors import ProtocolError
from aclf_pipeline.protocol.models import Adjudication, Analyte, Code, Definition, Question, Rule, Waiver
from aclf_pipeline.protocol.plan import Analysis
from aclf_pipeline.protocol.proofread import proofread
from aclf_pipeline.protocol.reader import Protocol, load_protocol
from aclf_pipeline.protocol.study import Baseline, Covariate, Criterion, Endpoint, Parameter, Study

__all__ = [
    "Adjudication",
    "Analysis",
    "Analyte",
    "Baseline",
    "Code",
    "Covariate",
    "Criterion",
    "Definition",
    "Endpoint",
    "Parameter",
    "Protocol",
    "ProtocolError",
    "Question",
    "Rule",
    "Study",
    "Waiver",
    "load_protocol",
    "proofread",
]
