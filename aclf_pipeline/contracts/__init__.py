"""What a table promises: Pandera models. Columns, types, keys, vocabulary; each column described.

One object validates, describes and documents: the gate, the data dictionary and the proof-reader of the protocol all
read these classes.

What does not belong here: numbers of any kind (ranges, tolerances and windows are pages of the protocol), rules about
single rows, and queries.
"""

from __future__ import annotations

from aclf_pipeline.contracts.base import ColumnPromise, Contract, empty_frame, facts, promises
from aclf_pipeline.contracts.measurements import Assessments, Imaging, Labs, Vitals
from aclf_pipeline.contracts.people import Deaths, Diagnoses, Followups, Patients, Stays
from aclf_pipeline.contracts.treatments import Infusions, Medications, Procedures

KINDS: dict[str, type[Contract]] = {
    "patients": Patients,
    "stays": Stays,
    "diagnoses": Diagnoses,
    "labs": Labs,
    "medications": Medications,
    "infusions": Infusions,
    "procedures": Procedures,
    "assessments": Assessments,
    "vitals": Vitals,
    "imaging": Imaging,
    "followups": Followups,
    "deaths": Deaths,
}
"""The canonical tables every source delivers, or declares absent with a reason."""

__all__ = ["KINDS", "ColumnPromise", "Contract", "empty_frame", "facts", "promises"]
