"""A hospital that never existed: exports of source `his` with a known truth and known defects.

Written from the export specification alone. What does not belong here: anything the pipeline knows (protocol,
contracts, staging); a simulator that shared it could not test it.
"""

from __future__ import annotations

from .bundle import BundleSummary, write_bundle
from .profiles import DEFECTS, PROFILES

__all__ = ["DEFECTS", "PROFILES", "BundleSummary", "write_bundle"]
