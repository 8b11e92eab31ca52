"""Everything Dagster sees, on one page: `dagster dev -w workspace.yaml` loads `defs`.

The study and its surroundings come from `ACLF_*` variables (settings.py).

What does not belong here: assets (assets/) and choices (protocol/).
"""

from __future__ import annotations

from aclf_pipeline.assets.build import build_definitions
from aclf_pipeline.settings import Settings

defs = build_definitions(Settings())
