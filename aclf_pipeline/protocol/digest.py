"""The digest of the pages: what they say, not how they are laid out.

Comments, line ends and the order of words do not count; the order of lists does, because eligibility has an order.

What does not belong here: fingerprints of single rules (models.py) and hashes of data (the warehouse).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aclf_pipeline.protocol.models import Code


def digest_of(pages: Mapping[str, Any], codelists: Mapping[str, Sequence[Code]]) -> str:
    """SHA-256, in hex, over the canonical content of all pages."""
    content = {
        "pages": pages,
        "codelists": {name: [code.model_dump() for code in codes] for name, codes in codelists.items()},
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> str:
    """Dates as YAML reads them, in ISO form."""
    return str(value.isoformat())
